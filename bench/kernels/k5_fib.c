/* k5: the naive Fibonacci function. Nothing but calls. */
#include <stdio.h>

__attribute__((noinline)) static unsigned fib(unsigned n) {
    if (n < 2) return n;
    unsigned a = fib(n - 1);
    __asm__ volatile("" : "+r"(a)); /* keep both calls */
    return a + fib(n - 2);
}

int main(void) {
    printf("%u\n", fib(37));
    return 0;
}
