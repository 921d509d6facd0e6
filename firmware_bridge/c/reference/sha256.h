/* SHA-256 (FIPS 180-4) of a file's beginning, as a boot loader needs it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef REFERENCE_SHA256_H
#define REFERENCE_SHA256_H

#include <stddef.h>
#include <stdint.h>

void sha256(const uint8_t *data, size_t n, uint8_t digest[32]);

#endif
