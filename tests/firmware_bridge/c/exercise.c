/* Runs the encoder where sanitizers watch it: frames of every kind into buffers of every size, and
 * noise into the receiver. Prints the whole frames in hex, for Python to read. */
#include "ecg_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t state = 1;

static uint32_t noise(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static void show(const uint8_t *frame, size_t n)
{
    size_t k;

    for (k = 0; k < n; k++) {
        printf("%02x", frame[k]);
    }
    printf("\n");
}

static size_t make(unsigned kind, uint8_t *frame, size_t capacity)
{
    static const struct ecg_wire_lead leads[] = {{"I", 1000.0f, 0}, {"II", 0.5f, -5}};
    static const struct ecg_wire_sensor sensor = {"edge-1", "1.2.0", "A42", 7, 500, 1, true, 2, leads};
    static int32_t counts[8 * 40];
    unsigned k;

    switch (kind) {
    case 0:
        return ecg_wire_hello(frame, capacity, 1, &sensor);
    case 1:
        for (k = 0; k < 8 * 40; k++) {
            counts[k] = (int32_t)noise();
        }
        return ecg_wire_data(frame, capacity, 2, noise(), noise(), 3, counts, 8, 40);
    case 2:
        memset(counts, 0, sizeof counts);
        return ecg_wire_data(frame, capacity, 3, 0, 0, 0, counts, 8, 40);
    case 3:
        return ecg_wire_status(frame, capacity, 4, 13, 87, ECG_WIRE_CONTACT_YES);
    case 4:
        return ecg_wire_mark(frame, capacity, 5, 13, "dizzy");
    default:
        return ecg_wire_pace(frame, capacity, 6, 14);
    }
}

int main(void)
{
    struct ecg_wire_receiver receiver = {{0}, 0};
    unsigned kind;
    unsigned heard = 0;
    size_t capacity;
    long k;

    for (kind = 0; kind < 6; kind++) {
        for (capacity = 0; capacity <= ECG_WIRE_MAX_FRAME; capacity++) {
            uint8_t *exact = malloc(capacity ? capacity : 1); /* a byte beyond it is seen */
            size_t n = make(kind, exact, capacity);
            if (n > capacity) {
                return 1;
            }
            if (capacity == ECG_WIRE_MAX_FRAME) {
                show(exact, n);
            }
            free(exact);
        }
    }
    for (k = 0; k < 1000000; k++) {
        heard += ecg_wire_receive(&receiver, (uint8_t)noise()) != ECG_WIRE_NOTHING;
    }
    return heard > 10; /* by chance about one in 2^32 */
}
