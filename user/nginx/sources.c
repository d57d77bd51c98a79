/* SPDX-License-Identifier: BSD-2-Clause */
#include "nginx/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "core/nginx/template.h"

#define MARK "# configuration file "

/* A file's bytes, or of a dump the part that is a file's. */
struct text {
	char *path;
	char *bytes;
	size_t len;
	bool borrowed; /* bytes are of the dump */
};

struct state {
	struct uc_sources pub; /* first: what the caller holds */
	struct uc_source_skip *skips;
	size_t skip_room;
	struct text *texts;
	size_t text_count, text_room;
	char *dump; /* NULL: the files themselves are read */
	char *root; /* or NULL */
	char *folder;
	size_t includes;
};

/* --- texts ------------------------------------------------------------------------- */

static struct text *find_text(const struct state *s, const char *path)
{
	for (size_t i = 0; i < s->text_count; i++)
		if (!strcmp(s->texts[i].path, path))
			return &s->texts[i];
	return NULL;
}

/* Takes bytes over where it succeeds. */
static struct text *add_text(struct state *s, const char *path, size_t path_len, char *bytes,
			     size_t len)
{
	char *copy;

	if (s->text_count == s->text_room) {
		size_t room = s->text_room ? 2 * s->text_room : 16;
		struct text *more = reallocarray(s->texts, room, sizeof(*more));

		if (!more)
			return NULL;
		s->texts = more;
		s->text_room = room;
	}
	copy = strndup(path, path_len);
	if (!copy)
		return NULL;
	s->texts[s->text_count] = (struct text){ .path = copy, .bytes = bytes, .len = len };
	return &s->texts[s->text_count++];
}

/* Within root, and not out of it by a link. */
static int open_in(const char *root, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				.resolve = RESOLVE_IN_ROOT };
	int dir, fd;

	if (!root)
		return open(path, (int)how.flags);
	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	close(dir);
	return fd;
}

static int failure(void)
{
	return errno > 0 ? -errno : -EIO;
}

/* A file that was put in its place with an old time of its own is new there, too. */
static uint64_t changed(const struct stat *st)
{
	return (uint64_t)st->st_ctim.tv_sec * 1000000000 + (uint64_t)st->st_ctim.tv_nsec;
}

static int read_bytes(struct state *s, const char *path, char **bytes, size_t *len)
{
	int fd = open_in(s->root, path), err;
	struct stat st;

	if (fd < 0)
		return failure();
	if (fstat(fd, &st))
		err = failure();
	else if (S_ISDIR(st.st_mode))
		err = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	else
		err = uc_file_read_fd(fd, UC_NGINX_MAX_BYTES, bytes, len);
	close(fd);
	if (!err && changed(&st) > s->pub.changed_ns)
		s->pub.changed_ns = changed(&st);
	return err;
}

/* NULL: *err says why. */
static struct text *read_text(struct state *s, const char *path, int *err)
{
	struct text *t = NULL;
	char *bytes = NULL;
	size_t len = 0;

	*err = read_bytes(s, path, &bytes, &len);
	if (!*err)
		t = add_text(s, path, strlen(path), bytes, len);
	if (!t)
		free(bytes);
	if (!t && !*err)
		*err = -ENOMEM;
	return t;
}

static const char *reason(int err)
{
	return err == -EINVAL ? "not a regular file" : strerror(-err);
}

/* --- includes ------------------------------------------------------------------------ */

static int skip(struct state *s, const struct uc_nginx_directive *include, const char *why)
{
	if (s->pub.skip_count == s->skip_room) {
		size_t room = s->skip_room ? 2 * s->skip_room : 8;
		struct uc_source_skip *more = reallocarray(s->skips, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->pub.skips = s->skips = more;
		s->skip_room = room;
	}
	s->skips[s->pub.skip_count++] = (struct uc_source_skip){ include, why };
	return 0;
}

static int parse(struct uc_nginx_conf *conf, const struct text *t)
{
	return uc_nginx_conf_parse(conf, t->path, t->bytes, t->len);
}

static int include_file(struct state *s, struct uc_nginx_conf *conf,
			const struct uc_nginx_directive *d, const char *path)
{
	struct text *t = find_text(s, path);
	int err;

	if (t)
		return parse(conf, t);
	if (s->dump)
		return skip(s, d, "not in the text of nginx -T");
	t = read_text(s, path, &err);
	if (t)
		return parse(conf, t);
	return err == -ENOMEM ? err : skip(s, d, reason(err));
}

static int include_matches(struct state *s, struct uc_nginx_conf *conf,
			   const struct uc_nginx_directive *d, const char *pattern)
{
	size_t cut = s->root ? strlen(s->root) : 0;
	char *below = NULL;
	glob_t found;
	int err;

	if (asprintf(&below, "%s%s", s->root ? s->root : "", pattern) < 0)
		return -ENOMEM;
	err = glob(below, 0, NULL, &found);
	free(below);
	if (err == GLOB_NOMATCH)
		return 0;
	if (err)
		return err == GLOB_NOSPACE ? -ENOMEM : skip(s, d, "its folder cannot be read");
	for (size_t i = 0; i < found.gl_pathc && !err; i++)
		err = include_file(s, conf, d, found.gl_pathv[i] + cut);
	globfree(&found);
	return err;
}

static int include_dumped(struct state *s, struct uc_nginx_conf *conf, const char *pattern)
{
	int err = 0;

	for (size_t i = 0; i < s->text_count && !err; i++)
		if (!fnmatch(pattern, s->texts[i].path, FNM_PATHNAME | FNM_PERIOD))
			err = parse(conf, &s->texts[i]);
	return err;
}

static int follow(struct state *s, struct uc_nginx_conf *conf, const struct uc_nginx_directive *d)
{
	const struct uc_nginx_word *w = &d->words[1];
	char *path;
	int err;

	if (!w->len)
		return skip(s, d, "it names nothing");
	if (s->includes++ == UC_NGINX_MAX_PARSES)
		return -E2BIG;
	if (asprintf(&path, "%s%.*s", w->p[0] == '/' ? "" : s->folder, (int)w->len, w->p) < 0)
		return -ENOMEM;
	if (!strpbrk(path, "*?["))
		err = include_file(s, conf, d, path);
	else if (s->dump)
		err = include_dumped(s, conf, path);
	else
		err = include_matches(s, conf, d, path);
	free(path);
	return err;
}

static int include(void *ctx, struct uc_nginx_conf *conf, const struct uc_nginx_directive *d)
{
	struct state *s = ctx;
	size_t before = s->pub.skip_count;
	int err = follow(s, conf, d);

	for (size_t i = before; i < s->pub.skip_count && !err; i++)
		if (s->skips[i].include == d)
			return UC_NGINX_LEFT_OUT;
	return err;
}

/* --- whole ------------------------------------------------------------------------------- */

static void *give_up(struct state *s)
{
	uc_sources_free(&s->pub);
	return NULL;
}

/* What is no configuration yet is not to be mended as one. */
static bool tell_template(const struct state *s, const char *path, char why[UC_SOURCES_WHY])
{
	const struct uc_nginx_error *e = uc_nginx_conf_error(s->pub.conf);
	const struct text *t = e->problem == UC_NGINX_BINARY ? NULL : find_text(s, e->path);
	enum uc_nginx_template found;
	unsigned line = 1;
	size_t at = 0;

	found = t ? uc_nginx_template_in(t->bytes, t->len, &at) : UC_NGINX_TEMPLATE_NONE;
	if (!found)
		return false;
	for (size_t i = 0; i < at; i++)
		line += t->bytes[i] == '\n';
	snprintf(why, UC_SOURCES_WHY,
		 "%s:%u: this is a template (%s), not a configuration yet; check what it is "
		 "rendered to",
		 path, line, uc_nginx_template_name(found));
	return true;
}

static int tell(const struct state *s, int err, char why[UC_SOURCES_WHY])
{
	const struct uc_nginx_error *e = uc_nginx_conf_error(s->pub.conf);
	char path[UC_SOURCES_WHY / 2], at[8] = "";

	if (!err)
		return 0;
	if (err == -E2BIG) {
		snprintf(why, UC_SOURCES_WHY, "more than %u includes", UC_NGINX_MAX_PARSES);
		return err;
	}
	if (!e->problem) {
		snprintf(why, UC_SOURCES_WHY, "%s", strerror(-err));
		return err;
	}
	uc_text_escape(e->path, strlen(e->path), path, sizeof(path));
	if (tell_template(s, path, why))
		return err;
	if (e->problem == UC_NGINX_UNEXPECTED || e->problem == UC_NGINX_AFTER_QUOTE)
		uc_text_escape(&e->at, 1, at, sizeof(at));
	snprintf(why, UC_SOURCES_WHY, "%s:%u:%u: %s%s%s%s", path, e->line, e->column,
		 *at ? "unexpected \"" : "", at, *at ? "\": " : "",
		 uc_nginx_problem_text(e->problem));
	return err;
}

static struct state *new_state(const char *main_path, const char *root)
{
	const char *slash = strrchr(main_path, '/');
	struct state *s = calloc(1, sizeof(*s));

	if (!s || uc_nginx_conf_new(include, s, &s->pub.conf)) {
		free(s);
		return NULL;
	}
	s->folder = strndup(main_path, slash ? slash - main_path + 1 : 0);
	s->root = root ? strdup(root) : NULL;
	if (!s->folder || (root && !s->root))
		return give_up(s);
	/* "/" ends with its own slash, and paths below begin with one */
	if (s->root && *s->root && s->root[strlen(s->root) - 1] == '/')
		s->root[strlen(s->root) - 1] = '\0';
	if (s->root && !*s->root) {
		free(s->root);
		s->root = NULL;
	}
	return s;
}

struct uc_sources *uc_sources_read(const char *path, const char *root, char why[UC_SOURCES_WHY])
{
	struct state *s = new_state(path, root);
	struct text *t;
	int err;

	if (!s) {
		snprintf(why, UC_SOURCES_WHY, "out of memory");
		return NULL;
	}
	t = read_text(s, path, &err);
	if (!t) {
		snprintf(why, UC_SOURCES_WHY, "%s: %s", path, reason(err));
		return give_up(s);
	}
	if (tell(s, parse(s->pub.conf, t), why))
		return give_up(s);
	return &s->pub;
}

/* "# configuration file /etc/nginx/nginx.conf:" on a line of its own; NULL: not one. */
static const char *mark_of(const char *line, const char *end, size_t *path_len)
{
	const char *newline = memchr(line, '\n', end - line);
	size_t mark = strlen(MARK), len = (newline ? newline : end) - line;

	if (len && line[len - 1] == '\r')
		len--;
	if (len < mark + 2 || memcmp(line, MARK, mark) || line[len - 1] != ':')
		return NULL;
	*path_len = len - mark - 1;
	return line + mark;
}

/* What comes before the first mark is nginx's talk. */
static int split_dump(struct state *s, size_t len)
{
	char *end = s->dump + len, *line = s->dump;
	struct text *open = NULL;

	while (line < end) {
		char *newline = memchr(line, '\n', end - line), *next = newline ? newline + 1 : end;
		size_t path_len;
		const char *path = mark_of(line, end, &path_len);

		if (open && !path)
			open->len = next - open->bytes;
		if (path && s->text_count == UC_NGINX_MAX_FILES)
			return -EFBIG;
		if (path) {
			open = add_text(s, path, path_len, next, 0);
			if (!open)
				return -ENOMEM;
			open->borrowed = true;
		}
		line = next;
	}
	return 0;
}

struct uc_sources *uc_sources_read_dump(const char *path, char why[UC_SOURCES_WHY])
{
	struct state *s = new_state("", NULL);
	const char *slash;
	size_t len = 0;
	int err;

	if (!s) {
		snprintf(why, UC_SOURCES_WHY, "out of memory");
		return NULL;
	}
	err = strcmp(path, "-") ? uc_file_read(path, UC_NGINX_MAX_BYTES, &s->dump, &len) :
				  uc_file_read_fd(STDIN_FILENO, UC_NGINX_MAX_BYTES, &s->dump, &len);
	err = err ? err : split_dump(s, len);
	if (!err && !s->text_count) {
		snprintf(why, UC_SOURCES_WHY,
			 "%s: not the text of nginx -T: no line \"%sPATH:\" in it; for a "
			 "configuration file itself leave --nginx-t out",
			 path, MARK);
		return give_up(s);
	}
	if (err) {
		snprintf(why, UC_SOURCES_WHY, "%s: %s", path, reason(err));
		return give_up(s);
	}
	free(s->folder);
	slash = strrchr(s->texts[0].path, '/');
	s->folder = strndup(s->texts[0].path, slash ? slash - s->texts[0].path + 1 : 0);
	if (!s->folder || tell(s, parse(s->pub.conf, &s->texts[0]), why)) {
		if (!s->folder)
			snprintf(why, UC_SOURCES_WHY, "out of memory");
		return give_up(s);
	}
	return &s->pub;
}

void uc_sources_free(struct uc_sources *c)
{
	struct state *s = (struct state *)c;

	if (!s)
		return;
	uc_nginx_conf_free(s->pub.conf);
	for (size_t i = 0; i < s->text_count; i++) {
		free(s->texts[i].path);
		if (!s->texts[i].borrowed)
			free(s->texts[i].bytes);
	}
	free(s->texts);
	free(s->skips);
	free(s->dump);
	free(s->root);
	free(s->folder);
	free(s);
}
