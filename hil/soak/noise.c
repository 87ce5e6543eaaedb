// SPDX-License-Identifier: Apache-2.0
// noise SEED FRAMES: random S16 stereo frames on standard output, none of them zero, the same ones as `noise` in material.py.
//
// Frame n is the upper half of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014) of SEED
// and n: left in bits 32..47, right in bits 48..63.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint32_t frame(uint64_t seed, uint64_t n)
{
    uint64_t z = seed + (n + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    uint32_t word = (uint32_t)((z ^ (z >> 31)) >> 32);
    return word ? word : 1;
}

int main(int count, char **words)
{
    static uint8_t block[4 * 1024];
    if (count != 3) {
        fprintf(stderr, "error: right is noise SEED FRAMES\n");
        return 2;
    }
    uint64_t seed = strtoull(words[1], NULL, 0), frames = strtoull(words[2], NULL, 0);
    for (uint64_t n = 0; n < frames;) {
        size_t used = 0;
        for (; used < sizeof block && n < frames; n++) {
            uint32_t word = frame(seed, n);
            for (int shift = 0; shift < 32; shift += 8)
                block[used++] = (uint8_t)(word >> shift);
        }
        if (fwrite(block, 1, used, stdout) != used)
            return 1;
    }
    return fflush(stdout) ? 1 : 0;
}
