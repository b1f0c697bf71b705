/* k7: count lines, words and indents of a text byte by byte. A tight loop of
   a few branches. */
#include <stdint.h>
#include <stdio.h>

#define N (1 << 20)
static char text[N];

int main(void) {
    uint32_t seed = 42;
    for (int i = 0; i < N; i++) {
        seed = seed * 1664525 + 1013904223;
        uint32_t r = seed >> 24;
        text[i] = r < 10 ? '\n' : r < 50 ? ' ' : r < 60 ? ':' : r < 64 ? '#' : (char)('a' + r % 26);
    }
    long lines = 0, words = 0, indents = 0, keys = 0;
    for (int round = 0; round < 60; round++) {
        int in = 0, start = 1;
        for (const char *p = text; p < text + N; p++) {
            char c = *p;
            if (c == '\n') {
                lines++;
                in = 0;
                start = 1;
            } else if (c == ' ') {
                if (start) indents++;
                in = 0;
            } else {
                if (!in) words++;
                if (c == ':') keys++;
                in = 1;
                start = 0;
            }
        }
    }
    printf("%ld %ld %ld %ld\n", lines, words, indents, keys);
    return 0;
}
