/* k2: parse a JSON document into a tree and sum its numbers. Recursive calls,
   many small branches, a bump allocator. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { NUL, BOOL, NUM, STR, ARR, OBJ };
struct value {
    enum kind kind;
    double num;
    const char *str;
    int len;
    struct value *first, *next;
};

static char arena[24 << 20];
static size_t used;
static const char *p;

static struct value *make(enum kind k) {
    struct value *v = (struct value *)(arena + used);
    used += sizeof *v;
    memset(v, 0, sizeof *v);
    v->kind = k;
    return v;
}

static void space(void) {
    while (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r') p++;
}

static struct value *parse(void);

static struct value *string(void) {
    struct value *v = make(STR);
    v->str = ++p;
    while (*p != '"') {
        if (*p == '\\') p++;
        p++;
    }
    v->len = (int)(p - v->str);
    p++;
    return v;
}

static struct value *number(void) {
    struct value *v = make(NUM);
    double n = 0, scale = 1;
    int neg = *p == '-';
    if (neg) p++;
    while (*p >= '0' && *p <= '9') n = n * 10 + (*p++ - '0');
    if (*p == '.') {
        p++;
        while (*p >= '0' && *p <= '9') n = n * 10 + (*p++ - '0'), scale *= 10;
    }
    v->num = (neg ? -n : n) / scale;
    return v;
}

static struct value *list(enum kind k, char close) {
    struct value *v = make(k), **tail = &v->first;
    p++;
    for (;;) {
        space();
        if (*p == close) break;
        if (*p == ',') {
            p++;
            continue;
        }
        struct value *item = parse();
        if (k == OBJ) {
            space();
            p++; /* the colon */
            item->first = parse();
        }
        *tail = item;
        tail = &item->next;
    }
    p++;
    return v;
}

static struct value *parse(void) {
    space();
    switch (*p) {
    case '{': return list(OBJ, '}');
    case '[': return list(ARR, ']');
    case '"': return string();
    case 't': p += 4; return make(BOOL);
    case 'f': p += 5; return make(BOOL);
    case 'n': p += 4; return make(NUL);
    }
    return number();
}

static double sum(const struct value *v) {
    double s = v->kind == NUM ? v->num : 0;
    for (const struct value *c = v->first; c; c = c->next) s += sum(c) + c->len;
    return s;
}

static char doc[2 << 20];

int main(void) {
    int n = 0;
    n += sprintf(doc + n, "{\"items\": [");
    for (int i = 0; i < 4000; i++)
        n += sprintf(doc + n,
                     "%s{\"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"cm-%d\", \"labels\": {\"a\\\"b\": \"x\", \"n\": %d.25}},\n"
                     "  \"data\": [true, false, null, %d, -%d.5, \"some longer text here\"]}",
                     i ? ",\n" : "", i, i, i * 3, i);
    sprintf(doc + n, "]}");
    double s = 0;
    for (int round = 0; round < 45; round++) {
        used = 0;
        p = doc;
        s += sum(parse());
    }
    printf("%.2f %zu\n", s, used);
    return 0;
}
