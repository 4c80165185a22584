/*
 * Hamming distances of 512-bit codes to one code, counted below a limit: the loop that a native program would run.
 * `scan ROWS SCANS` prints the microseconds of each scan after a few that are not counted, one a line, and last the number
 * of rows found and the instruction set.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

enum { BYTES = 64, LIMIT = 200, WARM = 20 };

static double now_us(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1e6 + at.tv_nsec / 1e3;
}

#ifdef __AVX2__
static const char *const KIND = "AVX2";

/* Mula, Kurz, Lemire (2017): a table of nibbles, then sums of eight bytes. */
static inline __m256i ones_of(__m256i bytes) {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
                                         0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(bytes, nibble));
  __m256i high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble));
  return _mm256_add_epi8(low, high);
}

static int scan(const uint8_t *rows, size_t count, const uint8_t *code) {
  const __m256i code_low = _mm256_load_si256((const __m256i *)code);
  const __m256i code_high = _mm256_load_si256((const __m256i *)(code + 32));
  int found = 0;
  for (size_t row = 0; row < count; row++, rows += BYTES) {
    __m256i low = _mm256_xor_si256(_mm256_load_si256((const __m256i *)rows), code_low);
    __m256i high = _mm256_xor_si256(_mm256_load_si256((const __m256i *)(rows + 32)), code_high);
    __m256i sums = _mm256_sad_epu8(_mm256_add_epi8(ones_of(low), ones_of(high)), _mm256_setzero_si256());
    __m128i half = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    uint64_t distance = _mm_cvtsi128_si64(half) + _mm_extract_epi64(half, 1);
    found += distance < LIMIT;
  }
  return found;
}
#else
static const char *const KIND = "popcount";

static int scan(const uint8_t *rows, size_t count, const uint8_t *code) {
  const uint64_t *words = (const uint64_t *)rows, *own = (const uint64_t *)code;
  int found = 0;
  for (size_t row = 0; row < count; row++, words += BYTES / 8) {
    int distance = 0;
    for (int i = 0; i < BYTES / 8; i++) distance += __builtin_popcountll(words[i] ^ own[i]);
    found += distance < LIMIT;
  }
  return found;
}
#endif

int main(int count, char **arguments) {
  if (count != 3) return 2;
  const size_t rows = strtoul(arguments[1], NULL, 10);
  const int scans = atoi(arguments[2]);
  uint64_t *memory = aligned_alloc(BYTES, (rows + 1) * BYTES);
  if (memory == NULL || rows == 0) return 3;
  uint64_t state = 88172645463325252u;
  for (size_t i = 0; i < (rows + 1) * (BYTES / 8); i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    memory[i] = state;
  }
  const uint8_t *code = (const uint8_t *)(memory + rows * (BYTES / 8));
  long found = 0;
  for (int i = -WARM; i < scans; i++) {
    const double begin = now_us();
    found += scan((const uint8_t *)memory, rows, code);
    if (i >= 0) printf("%.3f\n", now_us() - begin);
  }
  printf("%ld %s\n", found, KIND);
  free(memory);
  return 0;
}
