// What clang makes of a small function: a shadow stack, an allocator that grows the
// memory, a switch over characters, a sort through function pointers, recursion,
// floating point. It counts the words of its input and writes them in order; a word
// "work" doubles how often it computes what comes last.
typedef unsigned int u32;
typedef unsigned long long u64;
typedef struct { const void *at; u32 length; } piece;

__attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_read"))) u32 fd_read(u32, const piece *, u32, u32 *);
__attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_write"))) u32 fd_write(u32, const piece *, u32, u32 *);
__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_exit"))) _Noreturn void proc_exit(u32);

extern unsigned char __heap_base;
static unsigned char *top = &__heap_base;

static void need(u32 end) {
	while (end > __builtin_wasm_memory_size(0) << 16)
		if (__builtin_wasm_memory_grow(0, 1) == (u32)-1) proc_exit(2);
}

static void *reserve(u32 n) {
	unsigned char *p = top;
	top += (n + 15) & ~15u;
	need((u32)top);
	return p;
}

typedef struct word { const char *text; u32 length, count; struct word *less, *more; } word;

static int compare(const char *a, u32 m, const char *b, u32 n) {
	for (u32 i = 0; i < m && i < n; i++)
		if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
	return m < n ? -1 : m > n;
}

static int by_text(const word *a, const word *b) { return compare(a->text, a->length, b->text, b->length); }
static int by_count(const word *a, const word *b) { return a->count != b->count ? (a->count > b->count ? -1 : 1) : by_text(a, b); }

static void sort(word **list, u32 n, int (*order)(const word *, const word *)) {
	for (u32 i = 1; i < n; i++) {
		word *x = list[i];
		u32 j = i;
		for (; j > 0 && order(x, list[j - 1]) < 0; j--) list[j] = list[j - 1];
		list[j] = x;
	}
}

static word *find(word **at, const char *text, u32 length) {
	if (*at == 0) {
		*at = reserve(sizeof(word));
		**at = (word){text, length, 0, 0, 0};
	}
	int order = compare(text, length, (*at)->text, (*at)->length);
	if (order == 0) return *at;
	return find(order < 0 ? &(*at)->less : &(*at)->more, text, length);
}

static u32 list_all(word *w, word **out, u32 n) {
	if (w == 0) return n;
	n = list_all(w->less, out, n);
	out[n++] = w;
	return list_all(w->more, out, n);
}

static void print(const char *text, u32 n) {
	u32 done = 0;
	piece p = {text, n};
	if (fd_write(1, &p, 1, &done) != 0 || done != n) proc_exit(3);
}

static void number(u64 v) {
	char digits[24];
	u32 at = sizeof digits;
	do digits[--at] = '0' + v % 10; while ((v /= 10) != 0);
	print(digits + at, sizeof digits - at);
}

static u32 kind(char c) {
	switch (c) {
	case ' ': case '\t': case '\r': case ',': return 0;
	case '\n': return 1;
	case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': return 2;
	case '-': case '_': case '.': case '/': return 3;
	default: return 4;
	}
}

static u32 fib(u32 n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

void _start(void) {
	u32 size = 0, got = 0, kinds[5] = {0}, depth = 8;
	char *text = reserve(0), *begin = text;
	do {
		need((u32)text + size + 4096);
		piece p = {text + size, 4096};
		if (fd_read(0, &p, 1, &got) != 0) proc_exit(1);
		size += got;
	} while (got != 0);
	reserve(size);
	word *root = 0;
	u32 words = 0;
	for (char *c = text; c < text + size; c++) {
		u32 k = kind(*c);
		kinds[k]++;
		if (k > 1) continue;
		if (c > begin) {
			word *w = find(&root, begin, (u32)(c - begin));
			words += w->count++ == 0;
			if (compare(begin, (u32)(c - begin), "work", 4) == 0) depth++;
		}
		begin = c + 1;
	}
	word **all = reserve(words * sizeof *all);
	list_all(root, all, 0);
	sort(all, words, words % 2 ? by_text : by_count);
	for (u32 i = 0; i < words; i++) {
		print(all[i]->text, all[i]->length);
		print(" ", 1);
		number(all[i]->count);
		print("\n", 1);
	}
	double mean = words ? (double)size / words : 0;
	u64 hash = 14695981039346656037u;
	for (u32 i = 0; i < size; i++) hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
	number(hash);
	print(" ", 1);
	number((u64)(mean * 1000) + kinds[2] + fib(depth));
	print("\n", 1);
	proc_exit(words > 1000 ? 4 : 0);
}
