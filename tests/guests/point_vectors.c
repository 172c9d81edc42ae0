/*
 * Vector kernels with gathers and masks: point_vectors [avx2|avx512 [TURNS]].
 * Without a name both, shortly; one that the processor cannot do says nothing,
 * and when it was asked for by name the status is 77.
 */
#include "guest.h"
#include <immintrin.h>

#define N 4096

static float a[N] __attribute__((aligned(64)));
static float b[N] __attribute__((aligned(64)));
static float c[N] __attribute__((aligned(64)));
static int order[N] __attribute__((aligned(64)));

static void
fill(void)
{
	for (unsigned i = 0; i < N; i++) {
		a[i] = (float)i * 0.001f;
		b[i] = 1.0f / (float)(i + 1);
		c[i] = 0;
		order[i] = (int)(i * 2654435761u % N);
	}
}

/* Between the vectors: upper halves in their initial state. */
static __attribute__((noinline)) void
scalar(void)
{
	volatile double d = 1.5;

	for (int i = 0; i < 2000; i++)
		d = d * 1.0000001 + 1e-9;
	c[0] += (float)d * 1e-9f;
}

static __attribute__((noinline, target("avx2,fma"))) float
turn_avx2(int gather)
{
	__m256 s = _mm256_setzero_ps();

	for (int i = 0; i < N; i += 8) {
		__m256 v = _mm256_load_ps(a + i), w = _mm256_load_ps(b + i);
		__m256 m = _mm256_cmp_ps(v, w, _CMP_GT_OQ);

		s = _mm256_fmadd_ps(v, w, s);
		v = _mm256_add_ps(v, _mm256_and_ps(m, _mm256_set1_ps(1e-6f)));
		_mm256_store_ps(a + i, v);
	}
	for (int i = 0; gather && i < N; i += 8) {
		__m256i at = _mm256_load_si256((void *)(order + i));

		_mm256_store_ps(
			c + i, _mm256_add_ps(_mm256_i32gather_ps(b, at, 4), s));
	}
	return s[0];
}

static __attribute__((noinline, target("avx512f"))) float
turn_avx512(int gather)
{
	__m512 s = _mm512_setzero_ps();

	for (int i = 0; i < N; i += 16) {
		__m512 v = _mm512_load_ps(a + i), w = _mm512_load_ps(b + i);
		__mmask16 m = _mm512_cmp_ps_mask(v, w, _CMP_GT_OQ);

		s = _mm512_fmadd_ps(v, w, s);
		v = _mm512_mask_add_ps(v, m, v, _mm512_set1_ps(1e-6f));
		_mm512_store_ps(a + i, v);
	}
	for (int i = 0; gather && i < N; i += 16) {
		__m512i at = _mm512_load_si512(order + i);

		_mm512_store_ps(
			c + i, _mm512_add_ps(_mm512_i32gather_ps(at, b, 4), s));
	}
	return s[0];
}

static __attribute__((target("avx"))) void
run(const char *name, float (*turn)(int gather), unsigned long turns)
{
	fill();
	for (unsigned long i = 0; i < turns; i++) {
		c[i % N] += turn(i % 8 == 0) * 1e-6f;
		if (i % 64 == 0) {
			__builtin_ia32_vzeroupper();
			scalar();
		}
	}
	printf("%s %.6f\n", name, (double)c[7]);
}

int
main(int argc, char **argv)
{
	unsigned long turns = argc > 2 ? strtoul(argv[2], NULL, 0) : 100;
	int which = argc < 2 ? 3 : strcmp(argv[1], "avx2") == 0 ? 1 : 2;
	int can = (__builtin_cpu_supports("avx2") &&
		   __builtin_cpu_supports("fma")) |
		  (__builtin_cpu_supports("avx512f") ? 2 : 0);

	if (argc > 1 && !(which & can))
		return 77;
	if (which & can & 1)
		run("avx2", turn_avx2, turns);
	if (which & can & 2)
		run("avx512", turn_avx512, turns);
	return 0;
}
