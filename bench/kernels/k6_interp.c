/* k6: a bytecode interpreter: one loop around one switch. */
#include <stdint.h>
#include <stdio.h>

enum { PUSH, ADD, SUB, MUL, LOAD, STORE, JNZ, LT, DUP, XOR, HALT };

/* for (i = n; i != 0; i--) { s = (s * 31 + i) ^ t; t = t + (s < i) } */
static const int32_t code[] = {
    PUSH, 0,       /* unused slot */
    STORE, 3,
    LOAD, 1, PUSH, 31, MUL, LOAD, 0, ADD, LOAD, 2, XOR, STORE, 1,
    LOAD, 2, LOAD, 1, LOAD, 0, LT, ADD, STORE, 2,
    LOAD, 0, PUSH, 1, SUB, DUP, STORE, 0,
    JNZ, 4,
    HALT};

__attribute__((noinline)) static int32_t run(const int32_t *c, int32_t *slot) {
    int32_t stack[64];
    int sp = 0, pc = 0;
    for (;;) {
        switch (c[pc++]) {
        case PUSH: stack[sp++] = c[pc++]; break;
        case ADD: sp--, stack[sp - 1] += stack[sp]; break;
        case SUB: sp--, stack[sp - 1] -= stack[sp]; break;
        case MUL: sp--, stack[sp - 1] = (int32_t)((uint32_t)stack[sp - 1] * (uint32_t)stack[sp]); break;
        case LOAD: stack[sp++] = slot[c[pc++]]; break;
        case STORE: slot[c[pc++]] = stack[--sp]; break;
        case JNZ: pc = stack[--sp] ? c[pc] : pc + 1; break;
        case LT: sp--, stack[sp - 1] = stack[sp - 1] < stack[sp]; break;
        case DUP: stack[sp] = stack[sp - 1], sp++; break;
        case XOR: sp--, stack[sp - 1] ^= stack[sp]; break;
        default: return slot[1];
        }
    }
}

int main(void) {
    int32_t slot[8] = {5000000, 7, 0, 0};
    int32_t r = run(code, slot);
    printf("%d\n", r);
    return 0;
}
