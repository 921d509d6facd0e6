/* The reference firmware: a one-lead sensor of the own protocol that can be flashed by SMP, both on
 * one wire. As a native program it runs behind `boot`, which is its boot loader; of a
 * microcontroller's firmware only this file's main loop and store.c are different.
 *
 *     sensor FOLDER      the wire is standard input and output, the watchdog file descriptor 3
 *
 * REFERENCE_VERSION is its version as text. REFERENCE_FAULT makes one of the images that a flasher
 * must not keep: 1 streams garbage, 2 never starts, 3 streams at half the rate it states.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include "ecg_smp.h"
#include "ecg_smp_serial.h"
#include "ecg_wire.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef REFERENCE_VERSION
#define REFERENCE_VERSION "0.0.0"
#endif
#ifndef REFERENCE_FAULT
#define REFERENCE_FAULT 0
#endif
#define STREAMS_GARBAGE 1
#define NEVER_STARTS 2
#define HALF_THE_RATE 3

#define BOARD "ecg_reference"
#define RATE_HZ 250u
#define CHUNK 10u /* samples of a DATA */
#define HELLO_EVERY_US 5000000u
#define STATUS_EVERY_US 10000000u
#define FEED_EVERY_US 500000u
#define ANSWER_PATIENCE_MS 200
#define BATTERY_PERCENT 90u

#define WIRE_IN 0
#define WIRE_OUT 1
#define WATCHDOG 3

/* One beat at 75 a minute: (sample, microvolts), straight lines between. */
static const struct {
    uint32_t at;
    int32_t microvolts;
} beat[] = {{0, 0},    {20, 0},    {28, 120}, {36, 0},   {46, 0},    {49, -100}, {53, 1100},
            {57, -220}, {60, 0},   {85, 0},   {100, 260}, {115, 0},  {200, 0}};

static const struct ecg_wire_lead leads[] = {{"I", 1000.0f, 0}};

struct sensor {
    struct ecg_wire_sensor about;
    bool is_streaming;
    uint16_t sequence;
    uint32_t counter; /* samples since it started */
    uint64_t started_us;
    uint64_t hello_us;
    uint64_t status_us;
};

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* What does not fit the wire at once is lost, as behind a UART that nobody listens to. */
static void send_frame(const uint8_t *frame, size_t n)
{
    while (n > 0) {
        ssize_t written = write(WIRE_OUT, frame, n);

        if (written <= 0) {
            return;
        }
        frame += written;
        n -= (size_t)written;
    }
}

/* An answer is waited for. */
static void send_line(void *wire, const uint8_t *line, size_t n)
{
    (void)wire;
    while (n > 0) {
        struct pollfd out = {WIRE_OUT, POLLOUT, 0};
        ssize_t written;

        if (poll(&out, 1, ANSWER_PATIENCE_MS) <= 0) {
            return;
        }
        written = write(WIRE_OUT, line, n);
        if (written < 0 && errno != EAGAIN) {
            return;
        }
        if (written > 0) {
            line += written;
            n -= (size_t)written;
        }
    }
}

static int32_t microvolts(uint32_t counter)
{
    uint32_t at = counter % beat[sizeof beat / sizeof beat[0] - 1u].at;
    size_t k = 1;
    int32_t span, height;

    while (beat[k].at <= at) {
        k++;
    }
    span = (int32_t)(beat[k].at - beat[k - 1].at);
    height = beat[k].microvolts - beat[k - 1].microvolts;
    return beat[k - 1].microvolts + height * (int32_t)(at - beat[k - 1].at) / span;
}

static void say_hello(struct sensor *sensor)
{
    uint8_t frame[ECG_WIRE_MAX_FRAME];

    sensor->hello_us = now_us();
    send_frame(frame, ecg_wire_hello(frame, sizeof frame, sensor->sequence++, &sensor->about));
}

static void say_status(struct sensor *sensor)
{
    uint8_t frame[ECG_WIRE_MAX_FRAME];

    sensor->status_us = now_us();
    send_frame(frame, ecg_wire_status(frame, sizeof frame, sensor->sequence++, sensor->counter,
                                      BATTERY_PERCENT, ECG_WIRE_CONTACT_YES));
}

static void obey(struct sensor *sensor, enum ecg_wire_command command)
{
    if (command == ECG_WIRE_IDENTIFY) {
        say_hello(sensor);
    } else if (command == ECG_WIRE_STOP) {
        sensor->is_streaming = false;
    } else if (command == ECG_WIRE_START && !sensor->is_streaming) {
        say_hello(sensor);
        say_status(sensor);
        sensor->is_streaming = true;
    }
}

static void stream_chunk(struct sensor *sensor)
{
    uint8_t frame[ECG_WIRE_MAX_FRAME];
    int32_t counts[CHUNK];
    uint64_t device_us = (uint64_t)sensor->counter * 1000000u / RATE_HZ;
    size_t n;
    unsigned k;

    for (k = 0; k < CHUNK; k++) {
        counts[k] = microvolts(sensor->counter + k);
    }
    n = ecg_wire_data(frame, sizeof frame, sensor->sequence++, sensor->counter, device_us, 0,
                      counts, 1, CHUNK);
#if REFERENCE_FAULT == STREAMS_GARBAGE
    for (k = 0; k < n; k++) {
        frame[k] = (uint8_t)(frame[k] ^ 0x5Au);
    }
#endif
    send_frame(frame, n);
}

/* Samples that time has brought; those of a sensor that is not asked for them are only counted. */
static void sample(struct sensor *sensor)
{
    uint64_t due = (now_us() - sensor->started_us) * RATE_HZ / 1000000u;

#if REFERENCE_FAULT == HALF_THE_RATE
    due /= 2;
#endif
    for (; sensor->counter + CHUNK <= due; sensor->counter += CHUNK) {
        if (sensor->is_streaming) {
            stream_chunk(sensor);
        }
    }
    if (sensor->is_streaming && now_us() - sensor->hello_us > HELLO_EVERY_US) {
        say_hello(sensor);
    }
    if (sensor->is_streaming && now_us() - sensor->status_us > STATUS_EVERY_US) {
        say_status(sensor);
    }
}

/* Bytes that have come within the time of a chunk; none where no host has the port open. */
static ssize_t listen(uint8_t *bytes, size_t capacity)
{
    const struct timespec a_chunk = {0, (long)(CHUNK * 1000000000u / RATE_HZ)};
    struct pollfd in = {WIRE_IN, POLLIN, 0};
    int n = poll(&in, 1, (int)(CHUNK * 1000u / RATE_HZ));

    if (n > 0 && (in.revents & POLLIN) != 0) {
        return read(WIRE_IN, bytes, capacity);
    }
    if (n > 0) {
        nanosleep(&a_chunk, NULL);
    }
    return 0;
}

static void serve(struct ecg_smp *server, const uint8_t *request, size_t n)
{
    uint8_t answer[ECG_SMP_MAX_MESSAGE];
    size_t length = ecg_smp_answer(server, request, n, answer, sizeof answer);

    if (length > 0) {
        ecg_smp_send(answer, length, send_line, NULL);
    }
}

static void run(struct sensor *sensor, struct ecg_smp *server)
{
    static struct ecg_smp_lines lines;
    static struct ecg_wire_receiver receiver;
    uint64_t fed_us = 0;

    while (!server->reset_asked) {
        uint8_t bytes[512];
        ssize_t n = listen(bytes, sizeof bytes);
        ssize_t k;

        for (k = 0; k < n; k++) {
            size_t message = ecg_smp_receive(&lines, bytes[k]);

            if (message > 0) {
                serve(server, lines.message + 2, message);
            }
            obey(sensor, ecg_wire_receive(&receiver, bytes[k]));
        }
        sample(sensor);
        if (now_us() - fed_us > FEED_EVERY_US) {
            fed_us = now_us();
            if (write(WATCHDOG, "", 1) != 1) {
                return; /* the boot loader is gone, and with it the device */
            }
        }
    }
}

int main(int argc, char **argv)
{
    static struct store store;
    static struct ecg_smp_port port = {&store,      BOARD,       STORE_SLOT_BYTES,       store_images,
                                       store_erase, store_write, store_try_at_next_boot, store_confirm};
    static struct ecg_smp server;
    static struct sensor sensor;

#if REFERENCE_FAULT == NEVER_STARTS
    for (;;) {
        pause();
    }
#endif
    if (argc != 2) {
        return 2;
    }
    store.folder = argv[1];
    server.port = &port;
    sensor.started_us = now_us();
    sensor.about.model = "edge-reference";
    sensor.about.firmware = REFERENCE_VERSION;
    sensor.about.serial = "R1";
    sensor.about.boot = (uint32_t)(sensor.started_us / 1000u);
    sensor.about.rate_numerator = RATE_HZ;
    sensor.about.rate_denominator = 1;
    sensor.about.n_leads = 1;
    sensor.about.leads = leads;
    fcntl(WIRE_OUT, F_SETFL, O_NONBLOCK);
    run(&sensor, &server);
    return 0;
}
