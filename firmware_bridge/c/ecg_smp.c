/* SPDX-License-Identifier: Apache-2.0 */
#include "ecg_smp.h"

#include <string.h>

#define HEADER 8u
#define OPERATION 0x07u
#define READ 0u
#define WRITE 2u

#define GROUP_OS 0u
#define GROUP_IMAGE 1u

/* Of version 1, and of the image group. */
#define RC_INVALID 3
#define RC_NOT_SUPPORTED 8
#define IMAGE_FLASH_WRITE_FAILED 12
#define IMAGE_HASH_NOT_FOUND 8
#define IMAGE_NO_FREE_SLOT 9
#define IMAGE_TOO_LARGE 30
#define IMAGE_DATA_OVERRUN 31

#define CBOR_UNSIGNED 0u
#define CBOR_BYTES 2u
#define CBOR_TEXT 3u
#define CBOR_ARRAY 4u
#define CBOR_MAP 5u
#define CBOR_SIMPLE 7u
#define CBOR_FALSE 20u
#define CBOR_TRUE 21u
#define CBOR_INDEFINITE 31u
#define CBOR_BREAK 0xFFu

/* -- reading CBOR ------------------------------------------------------------------------------ */

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

struct item {
    unsigned major;
    unsigned minor; /* the low five bits, which tell an indefinite length */
    uint32_t value;
    const uint8_t *bytes;
};

static struct item next_item(struct reader *from)
{
    struct item item = {CBOR_SIMPLE, 0, 0, NULL};
    unsigned extra = 0;

    if (from->failed || from->at >= from->end) {
        from->failed = true;
        return item;
    }
    item.major = (unsigned)(*from->at >> 5);
    item.minor = (unsigned)(*from->at & 31u);
    from->at++;
    if (item.minor < 24u) {
        item.value = item.minor;
    } else if (item.minor <= 26u) {
        extra = 1u << (item.minor - 24u);
    } else if (item.minor != CBOR_INDEFINITE || item.major < CBOR_ARRAY) {
        /* No number of this device needs 64 bits, and no text of a request comes in pieces. */
        from->failed = true;
        return item;
    }
    if ((size_t)(from->end - from->at) < extra) {
        from->failed = true;
        return item;
    }
    for (; extra > 0; extra--) {
        item.value = (item.value << 8) | *from->at++;
    }
    if (item.major == CBOR_BYTES || item.major == CBOR_TEXT) {
        if ((size_t)(from->end - from->at) < item.value) {
            from->failed = true;
            return item;
        }
        item.bytes = from->at;
        from->at += item.value;
    }
    return item;
}

static bool is_text(const struct item *item, const char *text)
{
    size_t n = strlen(text);

    return item->major == CBOR_TEXT && item->value == n && memcmp(item->bytes, text, n) == 0;
}

/* What requests say; only what is asked for here. */
struct asked {
    struct item off, data, len, sha, hash, confirm, format, query, text;
};

static struct item *place_of(struct asked *asked, const struct item *key)
{
    struct item *places[] = {&asked->off,     &asked->data,   &asked->len,   &asked->sha, &asked->hash,
                             &asked->confirm, &asked->format, &asked->query, &asked->text};
    static const char *const names[] = {"off",     "data",   "len",   "sha", "hash",
                                        "confirm", "format", "query", "d"};
    size_t k;

    for (k = 0; k < sizeof names / sizeof names[0]; k++) {
        if (is_text(key, names[k])) {
            return places[k];
        }
    }
    return NULL;
}

/* A map of texts to numbers, texts, bytes and simple values; nothing is nested in a request. */
static bool read_map(const uint8_t *body, size_t n, struct asked *asked)
{
    struct reader from = {body, body + n, false};
    struct item map = next_item(&from);
    uint32_t left = map.value;
    bool is_open = map.minor == CBOR_INDEFINITE;

    memset(asked, 0, sizeof *asked);
    if (from.failed || map.major != CBOR_MAP) {
        return n == 0; /* a request without a body asks for nothing more */
    }
    while (is_open || left-- > 0) {
        struct item key;
        struct item value;
        struct item *place;

        if (is_open && from.at < from.end && *from.at == CBOR_BREAK) {
            break;
        }
        key = next_item(&from);
        value = next_item(&from);
        if (from.failed || value.major == CBOR_ARRAY || value.major == CBOR_MAP) {
            return false;
        }
        place = place_of(asked, &key);
        if (place != NULL) {
            *place = value;
        }
    }
    return true;
}

static bool is_true(const struct item *item)
{
    return item->major == CBOR_SIMPLE && item->value == CBOR_TRUE;
}

/* -- writing CBOR ------------------------------------------------------------------------------ */

struct writer {
    uint8_t *at;
    uint8_t *end;
    bool failed;
};

static void put(struct writer *to, const void *bytes, size_t n)
{
    if (to->failed || (size_t)(to->end - to->at) < n) {
        to->failed = true;
        return;
    }
    memcpy(to->at, bytes, n);
    to->at += n;
}

static void put_head(struct writer *to, unsigned major, uint32_t value)
{
    uint8_t head[5];
    unsigned n = value < 24u ? 0u : value < 0x100u ? 1u : value < 0x10000u ? 2u : 4u;
    unsigned k;

    head[0] = (uint8_t)(major << 5 | (n == 0 ? value : 23u + (n == 4u ? 3u : n)));
    for (k = 0; k < n; k++) {
        head[1 + k] = (uint8_t)(value >> (8u * (n - 1u - k)));
    }
    put(to, head, 1u + n);
}

static void put_text(struct writer *to, const char *text)
{
    size_t n = strlen(text);

    put_head(to, CBOR_TEXT, (uint32_t)n);
    put(to, text, n);
}

static void put_number(struct writer *to, const char *key, uint32_t value)
{
    put_text(to, key);
    put_head(to, CBOR_UNSIGNED, value);
}

static void put_flag(struct writer *to, const char *key, bool value)
{
    put_text(to, key);
    put_head(to, CBOR_SIMPLE, value ? CBOR_TRUE : CBOR_FALSE);
}

/* An error of the whole protocol ("not supported"). */
static void put_rc(struct writer *to, int code)
{
    put_head(to, CBOR_MAP, 1);
    put_number(to, "rc", (uint32_t)code);
}

/* An error of the image group. */
static void put_image_error(struct writer *to, int code)
{
    put_head(to, CBOR_MAP, 1);
    put_text(to, "err");
    put_head(to, CBOR_MAP, 2);
    put_number(to, "group", GROUP_IMAGE);
    put_number(to, "rc", (uint32_t)code);
}

/* -- images ------------------------------------------------------------------------------------ */

static char *put_decimal(char *at, uint32_t value)
{
    char digits[10];
    unsigned n = 0;

    do {
        digits[n++] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value > 0);
    while (n > 0) {
        *at++ = digits[--n];
    }
    return at;
}

static void put_version(struct writer *to, const struct ecg_smp_image *image)
{
    char text[3 * 10 + 4 + 4];
    char *at = put_decimal(text, image->major);

    *at++ = '.';
    at = put_decimal(at, image->minor);
    *at++ = '.';
    at = put_decimal(at, image->revision);
    if (image->build > 0) {
        *at++ = '.';
        at = put_decimal(at, image->build);
    }
    *at = '\0';
    put_text(to, "version");
    put_text(to, text);
}

static void put_images(struct writer *to, const struct ecg_smp_image images[ECG_SMP_SLOTS])
{
    uint32_t n = 0;
    uint32_t slot;

    for (slot = 0; slot < ECG_SMP_SLOTS; slot++) {
        n += images[slot].is_there ? 1u : 0u;
    }
    put_head(to, CBOR_MAP, 2);
    put_text(to, "images");
    put_head(to, CBOR_ARRAY, n);
    for (slot = 0; slot < ECG_SMP_SLOTS; slot++) {
        const struct ecg_smp_image *image = &images[slot];

        if (!image->is_there) {
            continue;
        }
        put_head(to, CBOR_MAP, 8);
        put_number(to, "slot", slot);
        put_version(to, image);
        put_text(to, "hash");
        put_head(to, CBOR_BYTES, ECG_SMP_HASH);
        put(to, image->hash, ECG_SMP_HASH);
        put_flag(to, "bootable", true);
        put_flag(to, "pending", image->pending);
        put_flag(to, "confirmed", image->confirmed);
        put_flag(to, "active", slot == 0);
        put_flag(to, "permanent", false);
    }
    put_number(to, "splitStatus", 0);
}

static void list_images(struct ecg_smp *server, struct writer *to)
{
    struct ecg_smp_image images[ECG_SMP_SLOTS];

    memset(images, 0, sizeof images);
    server->port->images(server->port->device, images);
    put_images(to, images);
}

/* Confirm what runs, or try what was sent. */
static void set_state(struct ecg_smp *server, const struct asked *asked, struct writer *to)
{
    const struct ecg_smp_port *port = server->port;
    struct ecg_smp_image images[ECG_SMP_SLOTS];
    const struct item *hash = &asked->hash;
    bool names_running;

    memset(images, 0, sizeof images);
    port->images(port->device, images);
    names_running = hash->bytes == NULL || (hash->value == ECG_SMP_HASH &&
                    memcmp(hash->bytes, images[0].hash, ECG_SMP_HASH) == 0);
    if (is_true(&asked->confirm) && names_running) {
        if (!port->confirm(port->device)) {
            put_image_error(to, IMAGE_FLASH_WRITE_FAILED);
            return;
        }
    } else if (!images[1].is_there || hash->value != ECG_SMP_HASH || hash->bytes == NULL ||
               memcmp(hash->bytes, images[1].hash, ECG_SMP_HASH) != 0) {
        put_image_error(to, IMAGE_HASH_NOT_FOUND);
        return;
    } else if (is_true(&asked->confirm)) {
        /* To keep an image for good before it has run leaves no way back. */
        put_rc(to, RC_NOT_SUPPORTED);
        return;
    } else if (!port->try_at_next_boot(port->device)) {
        put_image_error(to, IMAGE_FLASH_WRITE_FAILED);
        return;
    }
    list_images(server, to);
}

static void put_offset(struct ecg_smp *server, struct writer *to)
{
    put_head(to, CBOR_MAP, 1);
    put_number(to, "off", server->offset);
}

/* 0, or the error that keeps an upload from beginning. A file that was cut goes on where it stood. */
static int begin_upload(struct ecg_smp *server, const struct asked *asked, bool *goes_on)
{
    const struct ecg_smp_port *port = server->port;
    struct ecg_smp_image images[ECG_SMP_SLOTS];

    *goes_on = server->is_uploading && asked->sha.bytes != NULL &&
               asked->sha.value == server->file_hash_bytes &&
               memcmp(asked->sha.bytes, server->file_hash, server->file_hash_bytes) == 0;
    if (*goes_on) {
        return 0;
    }
    memset(images, 0, sizeof images);
    port->images(port->device, images);
    if (images[1].pending || !images[0].confirmed) {
        return IMAGE_NO_FREE_SLOT;
    }
    if (asked->len.value > port->slot_bytes) {
        return IMAGE_TOO_LARGE;
    }
    if (!port->erase(port->device)) {
        return IMAGE_FLASH_WRITE_FAILED;
    }
    server->is_uploading = true;
    server->length = asked->len.value;
    server->offset = 0;
    server->file_hash_bytes = 0;
    if (asked->sha.bytes != NULL && asked->sha.value <= ECG_SMP_HASH) {
        server->file_hash_bytes = asked->sha.value;
        memcpy(server->file_hash, asked->sha.bytes, asked->sha.value);
    }
    return 0;
}

static void take(struct ecg_smp *server, const struct asked *asked, struct writer *to)
{
    const struct ecg_smp_port *port = server->port;

    if (asked->data.bytes == NULL) {
        put_rc(to, RC_INVALID);
        return;
    }
    if (asked->off.value == 0) {
        bool goes_on;
        int code = begin_upload(server, asked, &goes_on);

        if (code != 0) {
            put_image_error(to, code);
            return;
        }
        if (goes_on) {
            put_offset(server, to);
            return;
        }
    }
    if (!server->is_uploading) {
        server->offset = 0; /* nothing is known of this file: from its beginning, please */
    } else if (asked->off.value == server->offset) {
        uint32_t n = asked->data.value;

        if (n > server->length - server->offset) {
            put_image_error(to, IMAGE_DATA_OVERRUN);
            return;
        }
        if (!port->write(port->device, server->offset, asked->data.bytes, n)) {
            server->is_uploading = false;
            put_image_error(to, IMAGE_FLASH_WRITE_FAILED);
            return;
        }
        server->offset += n;
        server->is_uploading = server->offset < server->length;
    }
    put_offset(server, to);
}

/* -- messages ---------------------------------------------------------------------------------- */

static void answer_os(struct ecg_smp *server, unsigned operation, unsigned command,
                      const struct asked *asked, struct writer *to)
{
    if (operation == WRITE && command == 0 && asked->text.bytes != NULL) { /* echo */
        put_head(to, CBOR_MAP, 1);
        put_text(to, "r");
        put_head(to, CBOR_TEXT, asked->text.value);
        put(to, asked->text.bytes, asked->text.value);
    } else if (operation == WRITE && command == 5) {
        server->reset_asked = true;
        put_head(to, CBOR_MAP, 0);
    } else if (operation == READ && command == 6) {
        put_head(to, CBOR_MAP, 2);
        put_number(to, "buf_size", ECG_SMP_MAX_MESSAGE);
        put_number(to, "buf_count", 1);
    } else if (operation == READ && command == 7 && is_text(&asked->format, "i")) {
        put_head(to, CBOR_MAP, 1);
        put_text(to, "output");
        put_text(to, server->port->board);
    } else if (operation == READ && command == 8) {
        put_head(to, CBOR_MAP, 1);
        if (is_text(&asked->query, "mode")) {
            put_number(to, "mode", 1); /* swaps, and swaps back what was not confirmed */
        } else {
            put_text(to, "bootloader");
            put_text(to, "MCUboot");
        }
    } else {
        put_rc(to, RC_NOT_SUPPORTED);
    }
}

static void answer_image(struct ecg_smp *server, unsigned operation, unsigned command,
                         const struct asked *asked, struct writer *to)
{
    if (command == 0 && operation == READ) {
        list_images(server, to);
    } else if (command == 0 && operation == WRITE) {
        set_state(server, asked, to);
    } else if (command == 1 && operation == WRITE) {
        take(server, asked, to);
    } else {
        put_rc(to, RC_NOT_SUPPORTED);
    }
}

size_t ecg_smp_answer(struct ecg_smp *server, const uint8_t *request, size_t n, uint8_t *answer,
                      size_t capacity)
{
    unsigned operation, group, command;
    struct asked asked;
    struct writer to;
    size_t body, length;

    if (n < HEADER || capacity < HEADER) {
        return 0;
    }
    operation = request[0] & OPERATION;
    length = (size_t)(request[2] << 8 | request[3]);
    group = (unsigned)(request[4] << 8 | request[5]);
    command = request[7];
    if ((operation != READ && operation != WRITE) || length > n - HEADER) {
        return 0;
    }
    to.at = answer + HEADER;
    to.end = answer + (capacity < ECG_SMP_MAX_MESSAGE ? capacity : ECG_SMP_MAX_MESSAGE);
    to.failed = false;
    if (!read_map(request + HEADER, length, &asked)) {
        put_rc(&to, RC_INVALID);
    } else if (group == GROUP_OS) {
        answer_os(server, operation, command, &asked, &to);
    } else if (group == GROUP_IMAGE) {
        answer_image(server, operation, command, &asked, &to);
    } else {
        put_rc(&to, RC_NOT_SUPPORTED);
    }
    if (to.failed) {
        return 0;
    }
    body = (size_t)(to.at - answer) - HEADER;
    memcpy(answer, request, HEADER);
    answer[0] = (uint8_t)(request[0] | 1u);
    answer[1] = 0;
    answer[2] = (uint8_t)(body >> 8);
    answer[3] = (uint8_t)body;
    return HEADER + body;
}
