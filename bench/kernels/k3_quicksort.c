/* k3: quicksort and insertion sort of integers. Unpredictable branches. */
#include <stdint.h>
#include <stdio.h>

#define N 400000
static int32_t a[N];

static void sort(int32_t *x, int lo, int hi) {
    while (hi - lo > 16) {
        int32_t pivot = x[lo + (hi - lo) / 2];
        int i = lo, j = hi;
        while (i <= j) {
            while (x[i] < pivot) i++;
            while (x[j] > pivot) j--;
            if (i <= j) {
                int32_t t = x[i];
                x[i++] = x[j];
                x[j--] = t;
            }
        }
        if (j - lo < hi - i) {
            sort(x, lo, j);
            lo = i;
        } else {
            sort(x, i, hi);
            hi = j;
        }
    }
    for (int i = lo + 1; i <= hi; i++) {
        int32_t t = x[i];
        int j = i - 1;
        for (; j >= lo && x[j] > t; j--) x[j + 1] = x[j];
        x[j + 1] = t;
    }
}

int main(void) {
    uint32_t seed = 1, check = 0;
    for (int round = 0; round < 9; round++) {
        for (int i = 0; i < N; i++) {
            seed = seed * 1664525 + 1013904223;
            a[i] = (int32_t)(seed >> 4);
        }
        sort(a, 0, N - 1);
        for (int i = 1; i < N; i++)
            if (a[i - 1] > a[i]) return 1;
        check ^= (uint32_t)a[N / 2];
    }
    printf("%08x\n", check);
    return 0;
}
