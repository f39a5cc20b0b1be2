/* Read a topic from its beginning until a number of records has arrived, and say how fast.
 *
 *   consume -b BOOTSTRAP -t TOPIC -n RECORDS [-p PARTITIONS] [-l LIMIT_SECONDS] [-X name=value]...
 *
 * The rate counts from the first arrival, without what came with it, so that finding the leader and
 * the offset, which the client does on timers of its own, is told apart (`first_ms`).
 * One JSON object on stdout.
 */
#include "client.h"

#include <unistd.h>

#define WAIT_MS 1000

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

int main(int argc, char **argv)
{
    const char *topic_name = NULL;
    int64_t wanted = 0;
    int partitions = 1;
    double limit_s = 120;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    for (int option; (option = getopt(argc, argv, "b:t:n:p:l:X:")) != -1;) {
        switch (option) {
        case 'b': configure(conf, "bootstrap.servers", optarg); break;
        case 't': topic_name = optarg; break;
        case 'n': wanted = atol(optarg); break;
        case 'p': partitions = atoi(optarg); break;
        case 'l': limit_s = atof(optarg); break;
        case 'X': configure_pair(conf, optarg); break;
        default: die("see the head of consume.c");
        }
    }
    if (topic_name == NULL || wanted < 1 || partitions < 1)
        die("consume wants -t and -n");

    rd_kafka_t *client = new_client(RD_KAFKA_CONSUMER, conf);
    rd_kafka_topic_t *topic = new_topic(client, topic_name);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    int64_t start = now_ns(), first = 0;
    for (int partition = 0; partition < partitions; partition++)
        if (rd_kafka_consume_start_queue(topic, partition, RD_KAFKA_OFFSET_BEGINNING, queue))
            die("partition %d: %s", partition, rd_kafka_err2str(rd_kafka_last_error()));

    struct arrived total = {0}, head = {0};
    while (total.records < wanted) {
        /* Not consume_batch: that waits for its array to fill. */
        rd_kafka_consume_callback_queue(queue, WAIT_MS, on_message, &total);
        if (first == 0 && total.records > 0) {
            first = now_ns();
            head = total;
        }
        if (seconds(now_ns() - start) > limit_s)
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
    printf("\"first_ms\": %.3f}\n", (double)(first - start) / 1e6);
    return 0;
}
