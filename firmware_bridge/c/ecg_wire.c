/* See ecg_wire.h. SPDX-License-Identifier: Apache-2.0 */
#include "ecg_wire.h"

#include <string.h>

#define HELLO 0x01u
#define DATA 0x02u
#define STATUS 0x03u
#define MARK 0x04u
#define PACE 0x05u

#define HAS_LEADOFF_SENSOR 0x01u
#define LONGEST_TEXT 255u
#define LONGEST_RUN 254u
#define CRC_START 0xFFFFu
#define CRC_POLYNOMIAL 0x1021u

#define INT16_WIDTH 2u
#define INT24_WIDTH 3u
#define INT24_MAX 0x7FFFFF
#define INT24_MIN (-INT24_MAX - 1)

/* A float must be the four bytes of IEEE 754. */
typedef char ecg_wire_float_has_four_bytes[sizeof(float) == sizeof(uint32_t) ? 1 : -1];

/* Encodes a body while it is written: CRC and COBS go along, so no second buffer is needed. */
struct writer {
    uint8_t *frame;
    size_t capacity;
    size_t length;  /* bytes written, the reserved code included */
    size_t code_at; /* where the code of the run that goes on belongs */
    size_t n_body;
    uint16_t crc;
    bool failed;
};

static uint16_t crc16(uint16_t crc, uint8_t byte)
{
    int bit;

    crc = (uint16_t)(crc ^ (uint16_t)((uint16_t)byte << 8));
    for (bit = 0; bit < 8; bit++) {
        unsigned shifted = (unsigned)crc << 1;
        crc = (uint16_t)((crc & 0x8000u) ? (shifted ^ CRC_POLYNOMIAL) : shifted);
    }
    return crc;
}

static void emit(struct writer *w, uint8_t byte)
{
    if (w->length >= w->capacity) {
        w->failed = true;
        return;
    }
    w->frame[w->length++] = byte;
}

/* Ends the run that goes on, by writing its code, and reserves the next one's. */
static void end_run(struct writer *w)
{
    if (w->failed) {
        return;
    }
    w->frame[w->code_at] = (uint8_t)(w->length - w->code_at);
    w->code_at = w->length;
    emit(w, 0);
}

static void stuff(struct writer *w, uint8_t byte)
{
    if (byte == 0) {
        end_run(w);
        return;
    }
    emit(w, byte);
    if (w->length - w->code_at == LONGEST_RUN + 1u) {
        end_run(w);
    }
}

static void put(struct writer *w, uint8_t byte)
{
    w->crc = crc16(w->crc, byte);
    w->n_body++;
    stuff(w, byte);
}

static void put_little_endian(struct writer *w, uint64_t value, unsigned n_bytes)
{
    unsigned k;

    for (k = 0; k < n_bytes; k++) {
        put(w, (uint8_t)(value >> (8u * k)));
    }
}

static void put_float(struct writer *w, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    put_little_endian(w, bits, 4);
}

static void put_text(struct writer *w, const char *text)
{
    size_t n = 0;
    size_t k;

    while (text[n] != '\0' && n <= LONGEST_TEXT) {
        n++;
    }
    if (n > LONGEST_TEXT) {
        w->failed = true;
        return;
    }
    put(w, (uint8_t)n);
    for (k = 0; k < n; k++) {
        put(w, (uint8_t)text[k]);
    }
}

static struct writer begin(uint8_t *frame, size_t capacity, uint8_t type, uint16_t sequence)
{
    struct writer w = {0};

    w.frame = frame;
    w.capacity = capacity;
    w.crc = CRC_START;
    emit(&w, 0); /* the first run's code */
    put(&w, type);
    put_little_endian(&w, sequence, 2);
    return w;
}

static size_t finish(struct writer *w)
{
    uint16_t crc = w->crc;

    if (w->failed || w->n_body > ECG_WIRE_MAX_BODY) {
        return 0;
    }
    stuff(w, (uint8_t)(crc & 0xFFu));
    stuff(w, (uint8_t)(crc >> 8));
    if (w->failed) {
        return 0;
    }
    w->frame[w->code_at] = (uint8_t)(w->length - w->code_at);
    emit(w, 0);
    return w->failed ? 0 : w->length;
}

size_t ecg_wire_hello(uint8_t *frame, size_t capacity, uint16_t sequence,
                      const struct ecg_wire_sensor *sensor)
{
    struct writer w = begin(frame, capacity, HELLO, sequence);
    uint8_t k;

    if (sensor->n_leads < 1 || sensor->n_leads > ECG_WIRE_MAX_LEADS ||
        sensor->rate_numerator == 0 || sensor->rate_denominator == 0) {
        return 0;
    }
    put(&w, ECG_WIRE_VERSION);
    put_little_endian(&w, sensor->boot, 4);
    put_little_endian(&w, sensor->rate_numerator, 4);
    put_little_endian(&w, sensor->rate_denominator, 4);
    put(&w, sensor->has_leadoff_sensor ? HAS_LEADOFF_SENSOR : 0u);
    put(&w, sensor->n_leads);
    put_text(&w, sensor->model);
    put_text(&w, sensor->firmware);
    put_text(&w, sensor->serial);
    for (k = 0; k < sensor->n_leads; k++) {
        const struct ecg_wire_lead *lead = &sensor->leads[k];
        if (!(lead->counts_per_mv > 0.0f)) {
            return 0;
        }
        put_float(&w, lead->counts_per_mv);
        put_little_endian(&w, (uint32_t)lead->baseline, 4);
        put_text(&w, lead->name);
    }
    return finish(&w);
}

static int32_t saturated(int32_t count)
{
    if (count > INT24_MAX) {
        return INT24_MAX;
    }
    return count < INT24_MIN ? INT24_MIN : count;
}

static uint8_t width_of(const int32_t *counts, unsigned n)
{
    unsigned k;

    for (k = 0; k < n; k++) {
        if (counts[k] < INT16_MIN || counts[k] > INT16_MAX) {
            return INT24_WIDTH;
        }
    }
    return INT16_WIDTH;
}

size_t ecg_wire_data(uint8_t *frame, size_t capacity, uint16_t sequence, uint32_t counter,
                     uint64_t device_us, uint8_t leads_off, const int32_t *counts,
                     uint8_t n_leads, uint8_t n_samples)
{
    struct writer w = begin(frame, capacity, DATA, sequence);
    unsigned n = (unsigned)n_leads * n_samples;
    uint8_t width = width_of(counts, n);
    unsigned k;

    if (n_leads < 1 || n_leads > ECG_WIRE_MAX_LEADS) {
        return 0;
    }
    put_little_endian(&w, counter, 4);
    put_little_endian(&w, device_us, 8);
    put(&w, leads_off);
    put(&w, n_leads);
    put(&w, n_samples);
    put(&w, width);
    for (k = 0; k < n; k++) {
        put_little_endian(&w, (uint32_t)saturated(counts[k]), width);
    }
    return finish(&w);
}

size_t ecg_wire_status(uint8_t *frame, size_t capacity, uint16_t sequence, uint32_t counter,
                       uint8_t battery, enum ecg_wire_contact contact)
{
    struct writer w = begin(frame, capacity, STATUS, sequence);

    if (battery > 100 && battery != ECG_WIRE_BATTERY_UNKNOWN) {
        return 0;
    }
    put_little_endian(&w, counter, 4);
    put(&w, battery);
    put(&w, (uint8_t)contact);
    return finish(&w);
}

size_t ecg_wire_mark(uint8_t *frame, size_t capacity, uint16_t sequence, uint32_t counter,
                     const char *text)
{
    struct writer w = begin(frame, capacity, MARK, sequence);

    put_little_endian(&w, counter, 4);
    put_text(&w, text);
    return finish(&w);
}

size_t ecg_wire_pace(uint8_t *frame, size_t capacity, uint16_t sequence, uint32_t counter)
{
    struct writer w = begin(frame, capacity, PACE, sequence);

    put_little_endian(&w, counter, 4);
    return finish(&w);
}

/* A command is one byte that is not zero, so on the wire it is code, command, CRC: `04 cc ll hh` for
 * each of the three (none of their CRCs has a zero byte). */
static enum ecg_wire_command command_in(const uint8_t *bytes)
{
    uint16_t crc = crc16(CRC_START, bytes[1]);

    if (bytes[0] != 4u || bytes[2] != (crc & 0xFFu) || bytes[3] != (crc >> 8)) {
        return ECG_WIRE_NOTHING;
    }
    switch (bytes[1]) {
    case ECG_WIRE_IDENTIFY:
        return ECG_WIRE_IDENTIFY;
    case ECG_WIRE_START:
        return ECG_WIRE_START;
    case ECG_WIRE_STOP:
        return ECG_WIRE_STOP;
    default:
        return ECG_WIRE_NOTHING;
    }
}

enum ecg_wire_command ecg_wire_receive(struct ecg_wire_receiver *receiver, uint8_t byte)
{
    enum ecg_wire_command command = ECG_WIRE_NOTHING;

    if (byte != 0) {
        if (receiver->n < sizeof receiver->bytes) {
            receiver->bytes[receiver->n] = byte;
        }
        if (receiver->n <= sizeof receiver->bytes) {
            receiver->n++; /* one more than fits says: too long */
        }
        return ECG_WIRE_NOTHING;
    }
    if (receiver->n == sizeof receiver->bytes) {
        command = command_in(receiver->bytes);
    }
    receiver->n = 0;
    return command;
}
