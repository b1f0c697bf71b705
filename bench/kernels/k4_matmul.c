/* k4: product of square matrices of doubles. One short inner loop. */
#include <stdio.h>

#define N 256
static double a[N][N], b[N][N], c[N][N];

int main(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) a[i][j] = i + j, b[i][j] = i - j;
    double trace = 0;
    for (int round = 0; round < 14; round++) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                double s = 0;
                for (int k = 0; k < N; k++) s += a[i][k] * b[k][j];
                c[i][j] = s;
            }
        trace += c[round][round];
        a[round][0] += 1;
    }
    printf("%.1f\n", trace);
    return 0;
}
