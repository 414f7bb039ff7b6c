// Code for several instruction sets in one binary.
#pragma once

// On a loop that the compiler vectorises: compiled for AVX-512, AVX2 and the
// baseline, chosen once when the library loads. The bits are the same on all
// of them, since nothing here reassociates or contracts.
#if defined(__x86_64__) && defined(__linux__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COTAN_MULTIVERSION \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
// The same without AVX-512, for loops that memory limits.
#define COTAN_MULTIVERSION_AVX2 \
  __attribute__((target_clones("arch=x86-64-v3", "default")))
#else  // the resolvers run before a sanitizer is ready
#define COTAN_MULTIVERSION
#define COTAN_MULTIVERSION_AVX2
#endif

#define COTAN_INLINE inline __attribute__((always_inline))
