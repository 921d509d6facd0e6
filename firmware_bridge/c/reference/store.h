/* The flash of the reference sensor: two slots for MCUboot images and what MCUboot remembers of
 * them, as files of a folder (`slot-a.bin`, `slot-b.bin`, `state`).
 *
 * Which file is slot 0 stands in `state`, which is replaced in one piece: a swap is whole or has not
 * happened, wherever the power fails.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef REFERENCE_STORE_H
#define REFERENCE_STORE_H

#include "ecg_smp.h"

#define STORE_SLOT_BYTES 0x80000u

struct store {
    const char *folder;
};

/* What a slot holds, read whole. Free `data` after use; NULL: no image. */
struct store_image {
    uint8_t *data;
    size_t body_at;
    size_t body_bytes;
    size_t hashed_bytes;
    struct ecg_smp_image about;
};

/* The image of slot 0 or 1, whose hash has not been checked. */
struct store_image store_read(const struct store *store, unsigned slot);

/* Whether the content has the hash that it carries. */
bool store_is_intact(const struct store_image *image);

/* What a boot loader does first: swap to what is to be tried, or back from what nobody confirmed.
 * Says in a word what it did. */
const char *store_choose(const struct store *store);

/* The functions of `ecg_smp_port`; `device` is a `struct store`. */
void store_images(void *device, struct ecg_smp_image images[ECG_SMP_SLOTS]);
bool store_erase(void *device);
bool store_write(void *device, uint32_t offset, const uint8_t *data, size_t n);
bool store_try_at_next_boot(void *device);
bool store_confirm(void *device);

#endif
