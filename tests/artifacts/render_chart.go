// SPDX-License-Identifier: BSD-2-Clause

// Renders a chart by the libraries that helm is made of, which Debian has, and helm it has not:
//
//	render_chart RELEASE NAMESPACE CHART VALUES.yaml
//
// VALUES are laid over the chart's own. Of what helm adds to the templates, include and toYaml are here.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"gopkg.in/yaml.v3"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(path string) map[string]interface{} {
	found := map[string]interface{}{}
	text, err := os.ReadFile(path)
	must(err)
	must(yaml.Unmarshal(text, &found))
	return found
}

func overlay(to, from map[string]interface{}) {
	for key, value := range from {
		inner, ok := value.(map[string]interface{})
		old, was := to[key].(map[string]interface{})
		if ok && was {
			overlay(old, inner)
		} else {
			to[key] = value
		}
	}
}

func toYaml(v interface{}) string {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	must(e.Encode(v))
	return strings.TrimSuffix(b.String(), "\n")
}

func main() {
	release, namespace, folder := os.Args[1], os.Args[2], os.Args[3]
	chart, values := read(filepath.Join(folder, "Chart.yaml")), read(filepath.Join(folder, "values.yaml"))
	overlay(values, read(os.Args[4]))

	t := template.New("").Option("missingkey=error").Funcs(sprig.TxtFuncMap())
	t.Funcs(template.FuncMap{
		"toYaml": toYaml,
		"include": func(name string, data interface{}) (string, error) {
			var b strings.Builder
			err := t.ExecuteTemplate(&b, name, data)
			return b.String(), err
		},
	})
	files, err := filepath.Glob(filepath.Join(folder, "templates", "*"))
	must(err)
	_, err = t.ParseFiles(files...)
	must(err)
	data := map[string]interface{}{
		"Values":  values,
		"Release": map[string]interface{}{"Name": release, "Namespace": namespace, "Service": "Helm"},
		"Chart": map[string]interface{}{
			"Name": chart["name"], "Version": chart["version"], "AppVersion": chart["appVersion"]},
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".yaml") {
			fmt.Println("---")
			must(t.ExecuteTemplate(os.Stdout, filepath.Base(file), data))
		}
	}
}
