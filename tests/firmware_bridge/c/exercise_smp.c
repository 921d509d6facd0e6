/* Runs the SMP server where sanitizers watch it: noise, and real messages with bytes changed, into
 * buffers of every size. Ends with 0 unless an answer was longer than its buffer. */
#include "ecg_smp.h"
#include "ecg_smp_serial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t state = 1;
static unsigned answers;
static size_t arrived; /* length of the last message that came whole over the lines */

static uint32_t noise(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void images(void *device, struct ecg_smp_image images_[ECG_SMP_SLOTS])
{
    (void)device;
    images_[0].is_there = images_[1].is_there = images_[0].confirmed = true;
    images_[0].build = UINT32_MAX;
}

static bool done(void *device)
{
    (void)device;
    return noise() % 8u != 0;
}

static bool written(void *device, uint32_t offset, const uint8_t *data, size_t n)
{
    uint32_t sum = offset;
    size_t k;

    for (k = 0; k < n; k++) { /* every byte is there to be read */
        sum += data[k];
    }
    (void)device;
    return sum != 1;
}

/* "off" 0, "len" 64, "sha" of 4 bytes, "data" of 8 bytes; then a state to set; then an echo. */
static const uint8_t upload[] = {2,   0,   0, 36,  0,   1,   0,   1,    0xa4, 0x63, 'o', 'f', 'f',
                                 0,   0x63, 'l', 'e', 'n', 0x18, 64,  0x63, 's',  'h', 'a', 0x44, 1,
                                 2,   3,   4, 0x64, 'd', 'a', 't', 'a', 0x48, 1,   2,   3,   4,   5,
                                 6,   7,   8, 0};
static const uint8_t set_state[] = {2,   0,   0,    18,  0,   1,   0,   0,   0xa2, 0x64, 'h', 'a',
                                    's', 'h', 0x41, 9,   0x67, 'c', 'o', 'n', 'f', 'i', 'r', 'm',
                                    0xf5, 0};
static const uint8_t echo[] = {2, 0, 0, 7, 0, 0, 7, 0, 0xbf, 0x61, 'd', 0x62, 'h', 'i', 0xff};

static void ask(struct ecg_smp *server, const uint8_t *message, size_t n, bool is_changed)
{
    uint8_t *exact = malloc(n); /* a byte beyond it is seen */
    size_t capacity = noise() % 300u;
    uint8_t *answer = malloc(capacity + 1u);
    size_t length;

    memcpy(exact, message, n);
    if (is_changed) {
        exact[noise() % n] = (uint8_t)noise();
        exact[noise() % n] = (uint8_t)noise();
    }
    length = ecg_smp_answer(server, exact, n, answer, capacity);
    if (length > capacity) {
        exit(1);
    }
    answers += length > 0;
    free(exact);
    free(answer);
}

static void receive(void *wire, const uint8_t *line, size_t n)
{
    struct ecg_smp_lines *lines = wire;
    size_t k;

    for (k = 0; k < n; k++) {
        size_t length = ecg_smp_receive(lines, line[k]);

        if (length > 0) {
            arrived = length;
        }
    }
}

int main(void)
{
    static const struct ecg_smp_port port = {NULL, "board", 4096, images, done, written, done, done};
    struct ecg_smp server;
    struct ecg_smp_lines lines;
    uint8_t message[ECG_SMP_MAX_MESSAGE];
    size_t n, k;
    long turn;

    memset(&server, 0, sizeof server);
    server.port = &port;
    for (turn = 0; turn < 300000; turn++) {
        ask(&server, upload, sizeof upload, turn % 4 != 0);
        ask(&server, set_state, sizeof set_state, turn % 4 != 0);
        ask(&server, echo, sizeof echo, turn % 4 != 0);
        n = 1u + noise() % 64u;
        for (k = 0; k < n; k++) {
            message[k] = (uint8_t)noise();
        }
        ask(&server, message, n, false);
    }
    memset(&lines, 0, sizeof lines);
    for (turn = 0; turn < 3000000; turn++) {
        static const uint8_t likely[] = {0x06, 0x09, 0x04, 0x14, '\n', '=', 'A', '/'};

        ecg_smp_receive(&lines, noise() % 2u ? likely[noise() % sizeof likely] : (uint8_t)noise());
    }
    /* Every length arrives as it was sent, also right behind noise and a newline. */
    for (n = 1; n <= ECG_SMP_MAX_MESSAGE; n++) {
        for (k = 0; k < n; k++) {
            message[k] = (uint8_t)noise();
        }
        receive(&lines, (const uint8_t *)"\n", 1);
        ecg_smp_send(message, n, receive, &lines);
        if (arrived != n || memcmp(lines.message + 2, message, n) != 0) {
            return 2;
        }
    }
    printf("%u\n", answers);
    return answers > 100000 ? 0 : 3;
}
