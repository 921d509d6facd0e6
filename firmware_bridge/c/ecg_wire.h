/* The ecg-edge sensor's side of its wire protocol, version 1 (docs/wire-protocol.md), in C99.
 *
 * No allocation, no state of its own but the receiver's, nothing of the C library but memcpy. Every
 * function that makes a frame writes the whole of it, closing zero included, and returns its length;
 * 0 when it does not fit into `capacity` or an argument is not valid, and `frame` is then undefined.
 * ECG_WIRE_MAX_FRAME bytes are enough for any frame.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ECG_WIRE_H
#define ECG_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ECG_WIRE_VERSION 1u
#define ECG_WIRE_MAX_LEADS 8u
#define ECG_WIRE_MAX_BODY 1024u
/* Body, CRC, a COBS byte for each 254 of them and one more, the closing zero. */
#define ECG_WIRE_MAX_FRAME (ECG_WIRE_MAX_BODY + 2u + (ECG_WIRE_MAX_BODY + 2u) / 254u + 1u + 1u)

#define ECG_WIRE_BATTERY_UNKNOWN 255u

enum ecg_wire_contact {
    ECG_WIRE_CONTACT_UNKNOWN = 0,
    ECG_WIRE_CONTACT_NONE = 1,
    ECG_WIRE_CONTACT_YES = 2
};

/* mV = (count - baseline) / counts_per_mv */
struct ecg_wire_lead {
    const char *name;
    float counts_per_mv;
    int32_t baseline;
};

/* What the sensor is. `boot` differs after each restart of its sample counter. Texts are UTF-8 of at
 * most 255 bytes. */
struct ecg_wire_sensor {
    const char *model;
    const char *firmware;
    const char *serial;
    uint32_t boot;
    uint32_t rate_numerator;
    uint32_t rate_denominator;
    bool has_leadoff_sensor;
    uint8_t n_leads;
    const struct ecg_wire_lead *leads;
};

/* HELLO: on IDENTIFY, on START and every five seconds. `sequence` counts all messages. */
size_t ecg_wire_hello(uint8_t *frame, size_t capacity, uint16_t sequence,
                      const struct ecg_wire_sensor *sensor);

/* DATA: `n_samples` times `n_leads` counts, sample after sample. `counter` and `device_us` are those
 * of the first; bit i of `leads_off` says that lead i has lost its electrode. Sent in 16 bits where
 * all counts fit, otherwise in 24, to which they are saturated. */
size_t ecg_wire_data(uint8_t *frame, size_t capacity, uint16_t sequence, uint32_t counter,
                     uint64_t device_us, uint8_t leads_off, const int32_t *counts,
                     uint8_t n_leads, uint8_t n_samples);

/* STATUS: `battery` in percent or ECG_WIRE_BATTERY_UNKNOWN. */
size_t ecg_wire_status(uint8_t *frame, size_t capacity, uint16_t sequence, uint32_t counter,
                       uint8_t battery, enum ecg_wire_contact contact);

/* MARK: the wearer pressed the button. */
size_t ecg_wire_mark(uint8_t *frame, size_t capacity, uint16_t sequence, uint32_t counter,
                     const char *text);

/* PACE: a pacemaker pulse. */
size_t ecg_wire_pace(uint8_t *frame, size_t capacity, uint16_t sequence, uint32_t counter);

/* What the host asks. */
enum ecg_wire_command {
    ECG_WIRE_NOTHING = 0,
    ECG_WIRE_IDENTIFY = 0x81,
    ECG_WIRE_START = 0x82,
    ECG_WIRE_STOP = 0x83
};

/* Finds commands among received bytes. Begin with all zero. */
struct ecg_wire_receiver {
    uint8_t bytes[4];
    uint8_t n;
};

/* Takes one byte; the command that it completes, or ECG_WIRE_NOTHING. */
enum ecg_wire_command ecg_wire_receive(struct ecg_wire_receiver *receiver, uint8_t byte);

#ifdef __cplusplus
}
#endif

#endif
