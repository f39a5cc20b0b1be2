/* Produce as fast as the broker acknowledges, and say how fast that was.
 *
 *   produce -b BOOTSTRAP -t TOPIC [-s RECORD_BYTES] [-p PARTITIONS] [-X name=value]...
 *           (-n RECORDS | -d SECONDS [-w RAMP_SECONDS])
 *   produce -V    prints librdkafka's version
 *
 * With -n, the figures cover everything from the first record to the last acknowledgement. With -d,
 * they cover the acknowledgements that arrive in the SECONDS after RAMP_SECONDS, so that neither
 * the connection's start nor its end is in them. Records go to the partitions in turn.
 * One JSON object on stdout: `records` and `bytes` are all that were acknowledged.
 */
#include "client.h"

#include <unistd.h>

/* Records between two looks at the clock. */
#define BURST 64
/* How long the records on the wire may take to be acknowledged once the time is up. */
#define DRAIN_MS 5000
/* How long a counted run may go without its end; the harness has its own limit as well. */
#define FINISH_MS 600000

struct progress {
    int64_t from_ns, to_ns;
    int64_t acked, acked_in_window, failed;
    const char *failure;
    struct samples latencies;
};

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    struct progress *progress = opaque;
    if (message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
        message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        return;
    if (message->err) {
        progress->failed++;
        progress->failure = rd_kafka_err2str(message->err);
        return;
    }
    int64_t now = now_ns();
    progress->acked++;
    if (now < progress->from_ns || now >= progress->to_ns)
        return;
    progress->acked_in_window++;
    add_sample(&progress->latencies, rd_kafka_message_latency(message));
}

struct load {
    char *payload;
    size_t record_bytes;
    int32_t partitions;
    int64_t records;
};

/* Hand over up to `BURST` records; wait for acknowledgements when the client's queue is full. */
static int64_t burst(rd_kafka_t *client, rd_kafka_topic_t *topic, const struct load *load,
                     int64_t sent)
{
    int64_t end = sent + BURST < load->records ? sent + BURST : load->records;
    for (; sent < end; sent++) {
        int32_t partition = (int32_t)(sent % load->partitions);
        if (rd_kafka_produce(topic, partition, 0, load->payload, load->record_bytes, NULL, 0, NULL)) {
            if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
                die("produce: %s", rd_kafka_err2str(rd_kafka_last_error()));
            rd_kafka_poll(client, 10);
            return sent;
        }
    }
    rd_kafka_poll(client, 0);
    return sent;
}

static void report(struct progress *progress, size_t record_bytes, double window_s)
{
    double rate = (double)progress->acked_in_window / window_s;
    printf("{\"records\": %ld, \"bytes\": %ld, \"window_s\": %.6f, ", progress->acked,
           progress->acked * (int64_t)record_bytes, window_s);
    printf("\"records_per_s\": %.3f, \"mb_per_s\": %.6f, ", rate,
           rate * (double)record_bytes / 1e6);
    print_percentiles(&progress->latencies);
    puts("}");
}

int main(int argc, char **argv)
{
    struct progress progress = {.to_ns = INT64_MAX};
    struct load load = {.record_bytes = 1000, .partitions = 1, .records = INT64_MAX};
    double duration_s = 0, ramp_s = 0;
    const char *topic_name = NULL;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    for (int option; (option = getopt(argc, argv, "b:t:s:p:n:d:w:X:V")) != -1;) {
        switch (option) {
        case 'b': configure(conf, "bootstrap.servers", optarg); break;
        case 't': topic_name = optarg; break;
        case 's': load.record_bytes = (size_t)atol(optarg); break;
        case 'p': load.partitions = atoi(optarg); break;
        case 'n': load.records = atol(optarg); break;
        case 'd': duration_s = atof(optarg); break;
        case 'w': ramp_s = atof(optarg); break;
        case 'X': configure_pair(conf, optarg); break;
        case 'V': puts(rd_kafka_version_str()); return 0;
        default: die("see the head of produce.c");
        }
    }
    if (topic_name == NULL || load.partitions < 1 || (load.records == INT64_MAX) == (duration_s == 0))
        die("produce wants -t, and one of -n and -d");

    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, &progress);
    rd_kafka_t *client = new_client(RD_KAFKA_PRODUCER, conf);
    rd_kafka_topic_t *topic = new_topic(client, topic_name);
    load.payload = new_payload(load.record_bytes);

    progress.from_ns = now_ns() + (int64_t)(ramp_s * 1e9);
    if (duration_s > 0)
        progress.to_ns = progress.from_ns + (int64_t)(duration_s * 1e9);
    for (int64_t sent = 0; sent < load.records && now_ns() < progress.to_ns;)
        sent = burst(client, topic, &load, sent);
    if (duration_s > 0)
        rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE);
    rd_kafka_resp_err_t unfinished = rd_kafka_flush(client, duration_s > 0 ? DRAIN_MS : FINISH_MS);
    double window_s = duration_s > 0 ? duration_s : seconds(now_ns() - progress.from_ns);
    if (progress.failed > 0)
        die("%ld records were refused: %s", progress.failed, progress.failure);
    if (unfinished && duration_s == 0)
        die("records are still not acknowledged after %d s", FINISH_MS / 1000);
    if (progress.acked_in_window == 0)
        die("no acknowledgement arrived in time");
    report(&progress, load.record_bytes, window_s);
    return 0;
}
