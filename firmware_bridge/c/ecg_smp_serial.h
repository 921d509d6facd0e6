/* SMP messages on a serial wire: lines of base64, as MCUmgr's console transport has them. Beside
 * them the wire may carry the sensor's frames (docs/firmware-security.md, "One wire").
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ECG_SMP_SERIAL_H
#define ECG_SMP_SERIAL_H

#include "ecg_smp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Finds messages among received bytes. Begin with all zero. */
struct ecg_smp_lines {
    uint8_t message[ECG_SMP_MAX_MESSAGE + 4u];
    size_t n;          /* bytes of it so far, its length and CRC among them */
    uint32_t bits;     /* of base64 that make no whole byte yet */
    unsigned n_bits;
    unsigned matched;  /* bytes of a delimiter */
    bool is_line;      /* within a line of a message */
    bool is_message;   /* its first line has been seen */
};

/* Takes one byte. `is_line` tells afterwards whether it belonged to SMP (a delimiter's first byte
 * may belong to either). Returns the length of the message that it completes, which lies in
 * `message + 2`, else 0. */
size_t ecg_smp_receive(struct ecg_smp_lines *lines, uint8_t byte);

/* Writes a message as lines, each by one call. */
void ecg_smp_send(const uint8_t *message, size_t n,
                  void (*write)(void *wire, const uint8_t *line, size_t n), void *wire);

#ifdef __cplusplus
}
#endif

#endif
