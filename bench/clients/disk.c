/* Append and make durable, again and again: what a log without a broker would reach on this disk.
 *
 *   disk -f FILE -s WRITE_BYTES -d SECONDS
 *
 * FILE is created, grows by one write and one fdatasync at a time, and is removed.
 * One JSON object on stdout.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    const char *path = NULL;
    size_t bytes = 4096;
    double duration_s = 2;

    for (int option; (option = getopt(argc, argv, "f:s:d:")) != -1;) {
        switch (option) {
        case 'f': path = optarg; break;
        case 's': bytes = (size_t)atol(optarg); break;
        case 'd': duration_s = atof(optarg); break;
        default: die("see the head of disk.c");
        }
    }
    if (path == NULL || bytes < 1)
        die("disk wants -f and -s");
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND, 0600);
    if (file < 0)
        die("%s: %s", path, strerror(errno));
    char *payload = new_payload(bytes);
    struct samples latencies = {0};
    int64_t start = now_ns(), end = start + (int64_t)(duration_s * 1e9), before = start, after;
    do {
        if (write(file, payload, bytes) != (ssize_t)bytes || fdatasync(file) != 0)
            die("%s: %s", path, strerror(errno));
        after = now_ns();
        add_sample(&latencies, (after - before) / 1000);
        before = after;
    } while (after < end);
    unlink(path);
    double window_s = seconds(after - start), rate = (double)latencies.count / window_s;
    printf("{\"writes_per_s\": %.3f, \"mb_per_s\": %.6f, \"window_s\": %.6f, ", rate,
           rate * (double)bytes / 1e6, window_s);
    print_percentiles(&latencies);
    puts("}");
    return 0;
}
