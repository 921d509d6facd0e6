/* SPDX-License-Identifier: Apache-2.0 */
#define _POSIX_C_SOURCE 200809L
#include "store.h"

#include "sha256.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096u
#define HEADER_BYTES 32u
#define HEADER_MAGIC 0x96f3b83du
#define TLV_MAGIC 0x6907u
#define TLV_SHA256 0x10u

/* `state`: the letter of slot 0, then 1 where the other image is to be tried, then 1 where slot 0
 * stays. A folder without it is a device fresh from the factory: slot A, which stays. */
struct state {
    char first;
    char pending;
    char confirmed;
};

static bool path_of(const struct store *store, const char *name, char path[PATH_BYTES])
{
    int n = snprintf(path, PATH_BYTES, "%s/%s", store->folder, name);

    return n > 0 && (size_t)n < PATH_BYTES;
}

static struct state read_state(const struct store *store)
{
    struct state state = {'a', '0', '1'};
    char path[PATH_BYTES];
    char text[3];
    FILE *file = path_of(store, "state", path) ? fopen(path, "rb") : NULL;

    if (file != NULL) {
        if (fread(text, 1, sizeof text, file) == sizeof text) {
            state.first = text[0];
            state.pending = text[1];
            state.confirmed = text[2];
        }
        fclose(file);
    }
    return state;
}

static bool write_state(const struct store *store, struct state state)
{
    char path[PATH_BYTES], part[PATH_BYTES];
    char text[4] = {state.first, state.pending, state.confirmed, '\n'};
    FILE *file;
    bool is_written;

    if (!path_of(store, "state", path) || !path_of(store, "state.part", part)) {
        return false;
    }
    file = fopen(part, "wb");
    if (file == NULL) {
        return false;
    }
    is_written = fwrite(text, 1, sizeof text, file) == sizeof text && fflush(file) == 0 &&
                 fsync(fileno(file)) == 0;
    return fclose(file) == 0 && is_written && rename(part, path) == 0;
}

static bool slot_path(const struct store *store, unsigned slot, char path[PATH_BYTES])
{
    bool is_a = (read_state(store).first == 'a') == (slot == 0);

    return path_of(store, is_a ? "slot-a.bin" : "slot-b.bin", path);
}

static uint32_t little(const uint8_t *at, unsigned n)
{
    uint32_t value = 0;

    while (n-- > 0) {
        value = value << 8 | at[n];
    }
    return value;
}

/* Header and TLVs (MCUboot's docs/design.md); false where they are not those of a whole image. */
static bool parse(struct store_image *image, size_t size)
{
    const uint8_t *data = image->data;
    size_t header, protected, body, at, end;

    if (size < HEADER_BYTES || little(data, 4) != HEADER_MAGIC) {
        return false;
    }
    header = little(data + 8, 2);
    protected = little(data + 10, 2);
    body = little(data + 12, 4);
    if (header < HEADER_BYTES || body > size || header + protected + 4u > size - body) {
        return false;
    }
    image->body_at = header;
    image->body_bytes = body;
    image->hashed_bytes = header + body + protected;
    image->about.major = data[20];
    image->about.minor = data[21];
    image->about.revision = (uint16_t)little(data + 22, 2);
    image->about.build = little(data + 24, 4);
    at = image->hashed_bytes;
    if (little(data + at, 2) != TLV_MAGIC) {
        return false;
    }
    end = at + little(data + at + 2, 2);
    if (end > size) {
        return false;
    }
    for (at += 4; at + 4u <= end; at += 4u + little(data + at + 2, 2)) {
        if (little(data + at, 2) == TLV_SHA256 && little(data + at + 2, 2) == ECG_SMP_HASH &&
            at + 4u + ECG_SMP_HASH <= end) {
            memcpy(image->about.hash, data + at + 4, ECG_SMP_HASH);
            image->about.is_there = true;
            return true;
        }
    }
    return false;
}

struct store_image store_read(const struct store *store, unsigned slot)
{
    struct store_image image;
    char path[PATH_BYTES];
    FILE *file = slot_path(store, slot, path) ? fopen(path, "rb") : NULL;
    size_t size;

    memset(&image, 0, sizeof image);
    if (file == NULL) {
        return image;
    }
    image.data = malloc(STORE_SLOT_BYTES);
    size = image.data == NULL ? 0 : fread(image.data, 1, STORE_SLOT_BYTES, file);
    fclose(file);
    if (image.data != NULL && !parse(&image, size)) {
        free(image.data);
        memset(&image, 0, sizeof image);
    }
    return image;
}

bool store_is_intact(const struct store_image *image)
{
    uint8_t digest[ECG_SMP_HASH];

    if (image->data == NULL) {
        return false;
    }
    sha256(image->data, image->hashed_bytes, digest);
    return memcmp(digest, image->about.hash, sizeof digest) == 0;
}

static bool other_is_intact(const struct store *store)
{
    struct store_image image = store_read(store, 1);
    bool is_intact = store_is_intact(&image);

    free(image.data);
    return is_intact;
}

static void swap(const struct store *store, struct state state)
{
    state.first = state.first == 'a' ? 'b' : 'a';
    write_state(store, state);
}

const char *store_choose(const struct store *store)
{
    struct state state = read_state(store);

    if (state.pending == '1') {
        state.pending = '0';
        if (!other_is_intact(store)) {
            store_erase((void *)store);
            write_state(store, state);
            return "refused";
        }
        state.confirmed = '0';
        swap(store, state);
        return "trying";
    }
    if (state.confirmed != '1') {
        state.confirmed = '1';
        swap(store, state);
        return "reverted";
    }
    return "kept";
}

void store_images(void *device, struct ecg_smp_image images[ECG_SMP_SLOTS])
{
    const struct store *store = device;
    struct state state = read_state(store);
    unsigned slot;

    for (slot = 0; slot < ECG_SMP_SLOTS; slot++) {
        struct store_image image = store_read(store, slot);

        images[slot] = image.about;
        free(image.data);
    }
    images[0].confirmed = state.confirmed == '1';
    images[1].pending = state.pending == '1';
}

bool store_erase(void *device)
{
    char path[PATH_BYTES];

    if (!slot_path(device, 1, path)) {
        return false;
    }
    unlink(path);
    return access(path, F_OK) != 0;
}

bool store_write(void *device, uint32_t offset, const uint8_t *data, size_t n)
{
    char path[PATH_BYTES];
    ssize_t written;
    int file;

    if (!slot_path(device, 1, path) || offset + n > STORE_SLOT_BYTES) {
        return false;
    }
    file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) {
        return false;
    }
    written = pwrite(file, data, n, (off_t)offset);
    return close(file) == 0 && written == (ssize_t)n;
}

bool store_try_at_next_boot(void *device)
{
    struct state state = read_state(device);

    state.pending = '1';
    return write_state(device, state);
}

bool store_confirm(void *device)
{
    struct state state = read_state(device);

    state.confirmed = '1';
    return write_state(device, state);
}
