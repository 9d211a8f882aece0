/* What the unit tests share. Include it first: it brings cmocka and what cmocka needs before it. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SKIP = 77 }; /* exit code of a test program that can't run here; print why first */

/* A fresh folder for this program, removed when it exits. */
const char *scratch_folder(void);
/* "SCRATCH/name"; valid until 16 further calls. */
const char *scratch_path(const char *name);
/* Write n bytes to a scratch file and return its path. */
const char *scratch_file(const char *name, const void *bytes, size_t n);

/* n bytes that end at an unmapped page: reading or writing one byte further is a crash. Zeroed. */
void *guarded(size_t n);
float *guarded_floats(size_t n);
void guarded_free_all(void);

/* Allocations of the program and the static library (not of shared libraries) since the start. */
uint64_t allocation_count(void);
/* The nth allocation from now fails, n >= 1, and all after it if for_good; 0 turns it off. True: one failed. */
void allocation_fail_at(uint64_t n, bool for_good);
bool allocation_failed(void);

/* Flip one bit of a file; cut a file to n bytes. */
void flip_bit(const char *path, size_t byte, int bit);
void cut_file(const char *path, size_t n);

#define CHECK(condition) assert_true(condition)
#endif
