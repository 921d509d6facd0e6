/* A firmware's side of SMP, the protocol that MCUboot devices are flashed by, in C99: as much of
 * MCUmgr's groups "os" and "image" as `firmware-bridge flash` and mcumgr's own tools need.
 *
 * No allocation, nothing of the C library but memcpy, memcmp and strlen. What a device is and does
 * is behind `ecg_smp_port`; how messages travel is another file's affair (ecg_smp_serial.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ECG_SMP_H
#define ECG_SMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Longest message that is taken or sent; what the device tells of its buffer. */
#define ECG_SMP_MAX_MESSAGE 1024u
#define ECG_SMP_HASH 32u
#define ECG_SMP_SLOTS 2u

/* What lies in a slot. `hash` is that of MCUboot's SHA-256 TLV. */
struct ecg_smp_image {
    bool is_there;
    bool pending;
    bool confirmed;
    uint8_t major;
    uint8_t minor;
    uint16_t revision;
    uint32_t build;
    uint8_t hash[ECG_SMP_HASH];
};

/* The device. Slot 0 runs, slot 1 takes uploads. What returns false has failed. */
struct ecg_smp_port {
    void *device;
    const char *board;
    uint32_t slot_bytes;
    void (*images)(void *device, struct ecg_smp_image images[ECG_SMP_SLOTS]);
    bool (*erase)(void *device);
    bool (*write)(void *device, uint32_t offset, const uint8_t *data, size_t n);
    bool (*try_at_next_boot)(void *device);
    bool (*confirm)(void *device);
};

/* The server. Begin with all zero but `port`. `reset_asked`: reset once the answer has left. */
struct ecg_smp {
    const struct ecg_smp_port *port;
    bool reset_asked;
    bool is_uploading;
    uint32_t length;
    uint32_t offset;
    uint8_t file_hash[ECG_SMP_HASH];
    size_t file_hash_bytes;
};

/* Takes one message and writes its answer; its length, or 0 where there is nothing to answer: the
 * message is no request, or the answer does not fit. */
size_t ecg_smp_answer(struct ecg_smp *server, const uint8_t *request, size_t n, uint8_t *answer,
                      size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
