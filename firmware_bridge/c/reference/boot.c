/* The boot loader of the reference sensor on a host: what MCUboot does, around a process.
 *
 *     boot FOLDER PORT
 *
 * FOLDER is the device's flash (store.h); PORT becomes a link to its serial port. At every reset it
 * tries what waits to be tried, takes back what nobody confirmed, checks the hash of what it chose
 * and runs it. A firmware that does not feed its watchdog for three seconds is reset. SIGTERM is the
 * power switch. Like the servers of MCUmgr's own tests it checks no signature: MCUboot does that,
 * where it is told to (docs/firmware-security.md).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _DEFAULT_SOURCE
#define _XOPEN_SOURCE 700
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define WATCHDOG_MS 3000
#define PAUSE_US 50000
#define WIRE_IN 0
#define WIRE_OUT 1
#define WATCHDOG 3
#define PATH_BYTES 4096u

static volatile sig_atomic_t is_off;
static volatile sig_atomic_t firmware;

static void switch_off(int signal_number)
{
    (void)signal_number;
    is_off = 1;
    if (firmware > 0) {
        kill((pid_t)firmware, SIGKILL);
    }
}

/* The log goes where MCUboot's goes: onto the wire, as lines of text. */
static void say(int wire, const char *what, const struct store_image *image)
{
    char line[128];
    int n = snprintf(line, sizeof line, "boot: %s %u.%u.%u\r\n", what, image->about.major,
                     image->about.minor, image->about.revision);

    if (n > 0 && write(wire, line, (size_t)n) < 0) {
        return; /* nobody listens */
    }
}

/* The board's end of a serial port whose other end `link` names; it stays through every reset. Only
 * a host opens that other end, as only a host opens a serial port. */
static int open_wire(const char *link)
{
    struct termios raw;
    int wire = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);

    if (wire < 0 || grantpt(wire) != 0 || unlockpt(wire) != 0 || tcgetattr(wire, &raw) != 0) {
        return -1;
    }
    cfmakeraw(&raw);
    if (tcsetattr(wire, TCSANOW, &raw) != 0) {
        return -1;
    }
    unlink(link);
    return symlink(ptsname(wire), link) == 0 ? wire : -1;
}

/* The image's body as a program of its own: what flash is to a microcontroller. */
static bool unpack(const struct store *store, const struct store_image *image, char *path)
{
    FILE *file;
    bool is_written;

    if (snprintf(path, PATH_BYTES, "%s/running", store->folder) >= (int)PATH_BYTES) {
        return false;
    }
    unlink(path);
    file = fopen(path, "wb");
    if (file == NULL) {
        return false;
    }
    is_written = fwrite(image->data + image->body_at, 1, image->body_bytes, file) ==
                 image->body_bytes;
    is_written = fclose(file) == 0 && is_written;
    return is_written && chmod(path, 0700) == 0;
}

/* Run the firmware until it resets, crashes or forgets its watchdog. */
static void run(const struct store *store, char *path, int wire)
{
    char *arguments[] = {path, (char *)store->folder, NULL};
    int watchdog[2];
    pid_t child;

    if (pipe(watchdog) != 0) {
        return;
    }
    child = fork();
    if (child == 0) {
        /* Its flags are the wire's own, which the boot loader shares. */
        if (dup2(wire, WIRE_IN) >= 0 && dup2(wire, WIRE_OUT) >= 0 &&
            dup2(watchdog[1], WATCHDOG) >= 0) {
            execv(path, arguments);
        }
        _exit(127);
    }
    close(watchdog[1]);
    firmware = (sig_atomic_t)child;
    while (child > 0 && !is_off) {
        struct pollfd fed = {watchdog[0], POLLIN, 0};
        char food[64];

        if (poll(&fed, 1, WATCHDOG_MS) <= 0 || read(watchdog[0], food, sizeof food) <= 0) {
            break;
        }
    }
    close(watchdog[0]);
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    firmware = 0;
}

int main(int argc, char **argv)
{
    struct sigaction on_term;
    struct store store;
    int wire;

    if (argc != 3) {
        fprintf(stderr, "usage: boot FOLDER PORT\n");
        return 2;
    }
    store.folder = argv[1];
    wire = open_wire(argv[2]);
    if (wire < 0) {
        fprintf(stderr, "boot: no serial port at %s: %s\n", argv[2], strerror(errno));
        return 1;
    }
    memset(&on_term, 0, sizeof on_term);
    on_term.sa_handler = switch_off;
    sigaction(SIGTERM, &on_term, NULL);
    sigaction(SIGINT, &on_term, NULL);
    while (!is_off) {
        const char *did = store_choose(&store);
        struct store_image image = store_read(&store, 0);
        char path[PATH_BYTES];

        say(wire, did, &image);
        if (store_is_intact(&image) && unpack(&store, &image, path)) {
            free(image.data);
            run(&store, path, wire);
        } else {
            free(image.data);
            fprintf(stderr, "boot: no image to run in %s\n", store.folder);
            is_off = 1;
        }
        usleep(PAUSE_US);
    }
    unlink(argv[2]);
    return 0;
}
