{{/* SPDX-License-Identifier: BSD-2-Clause */}}
{{- define "upclose.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-upclose" .Release.Name) (contains "upclose" .Release.Name) -}}
{{- $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "upclose.selector" -}}
app.kubernetes.io/name: upclose
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "upclose.labels" -}}
{{ include "upclose.selector" . }}
app.kubernetes.io/part-of: upclose
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "upclose.config" -}}
{{- $listen := dict "metrics" (dict "listen" (printf "0.0.0.0:%d" (int .Values.port))) -}}
{{ mustMerge $listen .Values.config | toYaml }}
{{- end -}}
