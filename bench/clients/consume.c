/* Read a topic from its beginning until a number of records has arrived, and say how fast.
 *
 *   consume -b BOOTSTRAP -t TOPIC -n RECORDS [-p PARTITIONS] [-d SECONDS] [-l LIMIT_SECONDS]
 *           [-X name=value]...
 *
 * With -d, it begins anew at the beginning after each RECORDS, until that much time has passed, or
 * until SIGTERM.
 * The rate counts from the first arrival, without what came with it, so that finding the leader and
 * the offset, which the client does on timers of its own, is told apart (`first_ms`).
 * One JSON object on stdout.
 */
#include "client.h"

#include <signal.h>
#include <unistd.h>

#define WAIT_MS 1000

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

struct arrived {
    int64_t records, bytes;
};

static void on_message(rd_kafka_message_t *message, void *opaque)
{
    struct arrived *arrived = opaque;
    if (message->err)
        die("consume: %s", rd_kafka_message_errstr(message));
    arrived->records++;
    arrived->bytes += (int64_t)message->len;
}

struct source {
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    int partitions;
};

static void start(const struct source *source)
{
    for (int partition = 0; partition < source->partitions; partition++)
        if (rd_kafka_consume_start_queue(source->topic, partition, RD_KAFKA_OFFSET_BEGINNING,
                                         source->queue))
            die("partition %d: %s", partition, rd_kafka_err2str(rd_kafka_last_error()));
}

/* What is in the queue of before is not given out any more. */
static void start_again(const struct source *source)
{
    for (int partition = 0; partition < source->partitions; partition++)
        rd_kafka_consume_stop(source->topic, partition);
    start(source);
}

int main(int argc, char **argv)
{
    const char *topic_name = NULL;
    int64_t wanted = 0;
    struct source source = {.partitions = 1};
    double limit_s = 120, duration_s = 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    for (int option; (option = getopt(argc, argv, "b:t:n:p:d:l:X:")) != -1;) {
        switch (option) {
        case 'b': configure(conf, "bootstrap.servers", optarg); break;
        case 't': topic_name = optarg; break;
        case 'n': wanted = atol(optarg); break;
        case 'p': source.partitions = atoi(optarg); break;
        case 'd': duration_s = atof(optarg); break;
        case 'l': limit_s = atof(optarg); break;
        case 'X': configure_pair(conf, optarg); break;
        default: die("see the head of consume.c");
        }
    }
    if (topic_name == NULL || wanted < 1 || source.partitions < 1)
        die("consume wants -t and -n");

    rd_kafka_t *client = new_client(RD_KAFKA_CONSUMER, conf);
    source.topic = new_topic(client, topic_name);
    source.queue = rd_kafka_queue_new(client);
    if (duration_s > 0)
        signal(SIGTERM, stop);
    int64_t began = now_ns(), end = began + (int64_t)(duration_s * 1e9), first = 0;
    start(&source);

    struct arrived total = {0}, head = {0};
    int64_t round_end = wanted;
    while (!stopped && (total.records < wanted || now_ns() < end)) {
        if (total.records >= round_end) {
            round_end = total.records + wanted;
            start_again(&source);
        }
        /* Not consume_batch: that waits for its array to fill. */
        rd_kafka_consume_callback_queue(source.queue, WAIT_MS, on_message, &total);
        if (first == 0 && total.records > 0) {
            first = now_ns();
            head = total;
        }
        if (seconds(now_ns() - began) > limit_s + duration_s)
            die("%ld of %ld records after %.0f s", total.records, wanted, limit_s);
    }
    double window_s = seconds(now_ns() - first);
    if (total.records == head.records)
        die("%ld records came at once: too few to measure", total.records);
    printf("{\"records\": %ld, \"bytes\": %ld, \"window_s\": %.6f, ", total.records, total.bytes,
           window_s);
    printf("\"records_per_s\": %.3f, \"mb_per_s\": %.6f, ",
           (double)(total.records - head.records) / window_s,
           (double)(total.bytes - head.bytes) / 1e6 / window_s);
    printf("\"first_ms\": %.3f}\n", (double)(first - began) / 1e6);
    return 0;
}
