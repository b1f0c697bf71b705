// The function that the bench measures, in C without a YAML library: it sets one
// annotation on every resource, by lines and their indentation. It knows block
// style with literal texts, which is what krmsafe, kustomize and kpt hand to a
// function; anything else where it matters ends it with an error.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char annotation[] = "bench.krmsafe.dev/owner: team-a\n";

static void fail(const char *format, ...) {
	va_list args;
	va_start(args, format);
	fputs("c: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static char *slurp(size_t *size) {
	size_t room = 1 << 16, n = 0;
	char *text = malloc(room + 1);
	while (text != NULL) {
		size_t got = fread(text + n, 1, room - n, stdin);
		n += got;
		if (got == 0) break;
		if (n == room) text = realloc(text, (room *= 2) + 1);
	}
	if (text == NULL) fail("out of memory");
	if (n == 0 || text[n - 1] != '\n') text[n++] = '\n';
	*size = n;
	return text;
}

// A line is cut into its indentation, an optional "- " of a list item, and the
// rest from key on. column is where the rest starts, counted from zero.
struct line {
	const char *start, *key, *end; // end is the newline
	int indent, column, item, blank;
};

static struct line cut(const char *p, const char *last) {
	struct line l = {.start = p};
	l.end = memchr(p, '\n', (size_t)(last - p));
	while (p < l.end && *p == ' ') p++;
	l.indent = (int)(p - l.start);
	if (l.end - p >= 2 && p[0] == '-' && p[1] == ' ') {
		l.item = 1;
		p += 2;
		while (p < l.end && *p == ' ') p++;
	} else if (l.end - p == 1 && *p == '-') {
		l.item = 1;
		p++;
	}
	l.key = p;
	l.column = (int)(p - l.start);
	l.blank = p == l.end && !l.item;
	if (p < l.end && *p == '#' && !l.item) l.blank = 1;
	return l;
}

// is tells whether a line is the key with nothing behind it: the head of a block.
static int is(const struct line *l, const char *key) {
	size_t n = strlen(key), have = (size_t)(l->end - l->key);
	if (have < n + 1 || memcmp(l->key, key, n) != 0 || l->key[n] != ':') return 0;
	for (const char *p = l->key + n + 1; p < l->end; p++) {
		if (*p == ' ') continue;
		if (*p == '#') break;
		fail("%s is not written as a block", key);
	}
	return 1;
}

static void indent(int n) {
	while (n-- > 0) putchar(' ');
}

static void put(const char *from, const char *to) { fwrite(from, 1, (size_t)(to - from), stdout); }

int main(void) {
	size_t size;
	const char *p = slurp(&size), *last = p + size;
	// Where the walk stands: outside of items, in an item, in its metadata, in
	// its annotations. list, at, metadata and annotations are their columns.
	enum { OUTSIDE, LIST, ITEM, METADATA, ANNOTATIONS } state = OUTSIDE;
	int list = -1, at = -1, metadata = -1, annotations = -1, found = 0, done = 0;
	static char buffer[1 << 16];
	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);

	while (p < last) {
		struct line l = cut(p, last);
		p = l.end + 1;
		if (l.blank) { // comments and empty lines belong to whatever goes on
			put(l.start, p);
			continue;
		}
		if (state == ANNOTATIONS && (annotations < 0 ? l.column <= metadata : l.indent < annotations)) {
			indent(annotations < 0 ? metadata + 2 : annotations);
			fputs(annotation, stdout);
			done = 1, state = METADATA;
		}
		if (state == METADATA && metadata >= 0 && l.indent < metadata) {
			if (!done) {
				indent(metadata), fputs("annotations:\n", stdout);
				indent(metadata + 2), fputs(annotation, stdout);
				done = 1;
			}
			state = ITEM;
		}
		if (state >= LIST && (l.indent < list || (l.indent == list && !l.item))) {
			if (state >= ITEM && !done) fail("an item has no metadata");
			state = OUTSIDE;
		}
		if (state >= LIST && list < 0 && l.item) list = l.indent;
		if (state >= LIST && l.item && l.indent == list) {
			if (state >= ITEM && !done) fail("an item has no metadata");
			state = ITEM, at = l.column, done = 0, metadata = annotations = -1;
		}
		if (state == OUTSIDE && l.indent == 0 && !l.item && is(&l, "items")) {
			state = LIST, list = -1, found = 1;
		} else if (state == ITEM && l.column == at && is(&l, "metadata")) {
			state = METADATA;
		} else if (state == METADATA && metadata < 0) {
			if (l.indent <= at || l.item) fail("an item's metadata is empty");
			metadata = l.indent;
		}
		if (state == METADATA && l.indent == metadata && !l.item && is(&l, "annotations")) {
			state = ANNOTATIONS;
		} else if (state == ANNOTATIONS && annotations < 0) {
			annotations = l.indent;
		}
		if (state == ANNOTATIONS && l.indent == annotations &&
		    (size_t)(l.end - l.key) >= strlen("bench.krmsafe.dev/owner:") &&
		    memcmp(l.key, annotation, strlen("bench.krmsafe.dev/owner:")) == 0) {
			continue; // replaced by ours
		}
		put(l.start, p);
	}
	if (state == ANNOTATIONS && !done) {
		indent(annotations < 0 ? metadata + 2 : annotations);
		fputs(annotation, stdout);
		done = 1, state = METADATA;
	}
	if (state == METADATA && metadata >= 0 && !done) {
		indent(metadata), fputs("annotations:\n", stdout);
		indent(metadata + 2), fputs(annotation, stdout);
		done = 1;
	}
	if (state >= ITEM && !done) fail("an item has no metadata");
	if (!found) fail("the ResourceList has no items");
	if (fflush(stdout) != 0) fail("writing the list");
	return 0;
}
