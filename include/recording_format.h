/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A recording: a file header, then frames until an END frame. Host byte order,
 * which the header names. A frame's payload is the wire's own bytes, so that a
 * replay takes the same path as a live trace.
 *
 * What a recording must not hold (queries, header values, bodies) was written
 * over with 'x' before, unless the header says UNREDACTED.
 */
#ifndef UPCLOSE_RECORDING_FORMAT_H
#define UPCLOSE_RECORDING_FORMAT_H

#include <linux/types.h>

#define UC_RECORDING_MAGIC      "UPCLOSE"
#define UC_RECORDING_VERSION    1
#define UC_RECORDING_BYTE_ORDER 0x01020304
#define UC_RECORDING_UNREDACTED 0x1
/* Larger than any frame of this version; a larger length is damage. */
#define UC_RECORDING_MAX_FRAME 65536

struct uc_recording_header {
	char magic[8];
	__u32 byte_order;
	__u16 version;      /* UC_RECORDING_VERSION: of the file header and the frames */
	__u16 wire_version; /* UC_WIRE_VERSION: of the records within */
	__u32 flags;
	__u32 crc; /* CRC-32 (zlib's) of the header with this field 0 */
};

/* Append only. */
enum uc_frame_kind {
	UC_FRAME_RECORD = 1, /* one ring record, include/wire.h */
	UC_FRAME_PROC = 2,   /* struct uc_frame_proc */
	UC_FRAME_CLOCK = 3,  /* struct uc_frame_clock */
	UC_FRAME_LOSSES = 4, /* __u64 for each reason of enum uc_lost; the newest counts */
	UC_FRAME_END = 5,    /* struct uc_frame_end; nothing follows */
	UC_FRAME_NAMES = 6,  /* struct uc_frame_names; of the process frame that follows */
	UC_FRAME_HEARING =
		7, /* __u32: the level up to which nginx's words are heard from now on, and UC_HEARING_CHOSEN */
};

struct uc_frame_header {
	__u32 kind;
	__u32 len; /* of the payload */
	__u32 crc; /* CRC-32 of kind, len and the payload */
	__u32 reserved;
};

struct uc_frame_proc {
	__u64 start_ns;
	__u32 tgid;
	__u32 reserved;
	char exe[256];    /* terminated */
	char cgroup[256]; /* terminated */
};

struct uc_frame_names {
	__u64 start_ns;
	__u32 tgid;
	__u32 reserved;
	char container[64]; /* terminated, as all */
	char pod_namespace[64];
	char pod[256];
};

struct uc_frame_clock {
	__s64 offset_ns; /* CLOCK_REALTIME minus CLOCK_MONOTONIC */
	__u64 mono_ns;
};

struct uc_frame_end {
	__u64 duration_ns;
	__u64 end_wall_ns;
};

#endif
