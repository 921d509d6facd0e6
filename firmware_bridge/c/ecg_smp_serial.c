/* SPDX-License-Identifier: Apache-2.0 */
#include "ecg_smp_serial.h"

#include <string.h>

#define LINE 124u /* characters of base64 in a line, of which Zephyr takes 127 with delimiter and end */
#define FIRST_1 0x06u
#define FIRST_2 0x09u
#define NEXT_1 0x04u
#define NEXT_2 0x14u

static uint16_t crc16_xmodem(uint16_t crc, uint8_t byte)
{
    unsigned k;

    crc = (uint16_t)(crc ^ (uint16_t)(byte << 8));
    for (k = 0; k < 8; k++) {
        crc = (uint16_t)(crc & 0x8000u ? (unsigned)(crc << 1) ^ 0x1021u : (unsigned)(crc << 1));
    }
    return crc;
}

static int value_of(uint8_t character)
{
    if (character >= 'A' && character <= 'Z') {
        return character - 'A';
    }
    if (character >= 'a' && character <= 'z') {
        return character - 'a' + 26;
    }
    if (character >= '0' && character <= '9') {
        return character - '0' + 52;
    }
    return character == '+' ? 62 : character == '/' ? 63 : -1;
}

static void begin(struct ecg_smp_lines *lines, bool is_first)
{
    lines->matched = 0;
    lines->is_line = true;
    if (is_first) {
        lines->n = 0;
        lines->bits = 0;
        lines->n_bits = 0;
        lines->is_message = true;
    }
}

/* Looks for a delimiter outside of lines. */
static void look(struct ecg_smp_lines *lines, uint8_t byte)
{
    if (lines->matched == FIRST_1 && byte == FIRST_2) {
        begin(lines, true);
    } else if (lines->matched == NEXT_1 && byte == NEXT_2) {
        begin(lines, false);
    } else {
        lines->matched = byte == FIRST_1 || byte == NEXT_1 ? byte : 0;
    }
}

static size_t whole_message(struct ecg_smp_lines *lines)
{
    size_t length, k;
    uint16_t crc = 0;

    if (!lines->is_message || lines->n < 4u) {
        return 0;
    }
    length = (size_t)(lines->message[0] << 8 | lines->message[1]);
    if (length < 2u || lines->n < length + 2u) {
        return 0;
    }
    lines->is_message = false;
    for (k = 0; k < length; k++) {
        crc = crc16_xmodem(crc, lines->message[2 + k]);
    }
    /* A CRC that is run over its own bytes ends at zero. */
    return crc == 0 ? length - 2u : 0;
}

size_t ecg_smp_receive(struct ecg_smp_lines *lines, uint8_t byte)
{
    int value;

    if (!lines->is_line) {
        look(lines, byte);
        return 0;
    }
    if (byte == '\n') {
        lines->is_line = false;
        return whole_message(lines);
    }
    value = value_of(byte);
    if (value < 0) {
        if (byte != '=' && byte != '\r') {
            lines->is_line = lines->is_message = false; /* no base64: a frame that looked like it */
        }
        return 0;
    }
    lines->bits = lines->bits << 6 | (uint32_t)value;
    lines->n_bits += 6;
    if (lines->n_bits >= 8u) {
        lines->n_bits -= 8u;
        if (lines->n < sizeof lines->message) {
            lines->message[lines->n++] = (uint8_t)(lines->bits >> lines->n_bits);
        } else {
            lines->is_message = false;
        }
    }
    return 0;
}

/* Byte `k` of length, message and CRC; 0 behind them. */
static uint8_t byte_at(const uint8_t *message, size_t n, uint16_t crc, size_t k)
{
    if (k < 2u) {
        return (uint8_t)((n + 2u) >> (k == 0 ? 8 : 0));
    }
    if (k < n + 2u) {
        return message[k - 2u];
    }
    return (uint8_t)(k < n + 4u ? crc >> (k == n + 2u ? 8 : 0) : 0);
}

void ecg_smp_send(const uint8_t *message, size_t n,
                  void (*write)(void *wire, const uint8_t *line, size_t n), void *wire)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t line[2u + LINE + 1u];
    uint16_t crc = 0;
    size_t total = n + 4u;
    size_t k, at = 2;

    for (k = 0; k < n; k++) {
        crc = crc16_xmodem(crc, message[k]);
    }
    line[0] = FIRST_1;
    line[1] = FIRST_2;
    for (k = 0; k < total; k += 3) {
        uint32_t three = (uint32_t)byte_at(message, n, crc, k) << 16 |
                         (uint32_t)byte_at(message, n, crc, k + 1) << 8 |
                         byte_at(message, n, crc, k + 2);

        line[at++] = (uint8_t)letters[three >> 18];
        line[at++] = (uint8_t)letters[three >> 12 & 63u];
        line[at++] = (uint8_t)(k + 1 < total ? letters[three >> 6 & 63u] : '=');
        line[at++] = (uint8_t)(k + 2 < total ? letters[three & 63u] : '=');
        if (at == 2u + LINE || k + 3 >= total) {
            line[at++] = '\n';
            write(wire, line, at);
            line[0] = NEXT_1;
            line[1] = NEXT_2;
            at = 2;
        }
    }
}
