/* Send records at a fixed rate and read them back in the same process: latency from end to end.
 *
 *   latency -b BOOTSTRAP -t TOPIC [-s RECORD_BYTES] [-r RECORDS_PER_S] [-d SECONDS]
 *           [-w RAMP_SECONDS] [-a] [-X name=value]...
 *
 * The topic must be empty and have one partition. A record's value begins with the time at which
 * it was given to the client; sending never waits for acknowledgements, so a broker that stalls
 * is charged for every record of the stall. Settings given by -X apply to the producer.
 * One JSON object on stdout, over the records sent in the SECONDS after RAMP_SECONDS: until they
 * were consumed, and with -a as `produce_...` until they were acknowledged, which takes a thread.
 */
#include "client.h"

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#define WAIT_MS 100
/* How long the last record may take to come back. */
#define STRAGGLE_S 30

struct acknowledged {
    rd_kafka_t *producer;
    int64_t count, from, wanted, deadline_ns;
    struct samples latencies;
};

struct reader {
    rd_kafka_queue_t *queue;
    int64_t wanted, received, from_ns, deadline_ns;
    struct samples latencies;
};

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    (void)client;
    struct acknowledged *acknowledged = opaque;
    if (message->err)
        die("produce: %s", rd_kafka_err2str(message->err));
    /* One partition: records are acknowledged in the order in which they were sent. */
    if (acknowledged->count++ >= acknowledged->from)
        add_sample(&acknowledged->latencies, rd_kafka_message_latency(message));
}

/* Latency counts until the callback: so somebody must be waiting for it. */
static void *await_acknowledgements(void *opaque)
{
    struct acknowledged *acknowledged = opaque;
    while (acknowledged->count < acknowledged->wanted && now_ns() < acknowledged->deadline_ns)
        rd_kafka_poll(acknowledged->producer, WAIT_MS);
    return NULL;
}

static void on_message(rd_kafka_message_t *message, void *opaque)
{
    struct reader *reader = opaque;
    int64_t sent;
    if (message->err)
        die("consume: %s", rd_kafka_message_errstr(message));
    memcpy(&sent, message->payload, sizeof sent);
    reader->received++;
    if (sent >= reader->from_ns)
        add_sample(&reader->latencies, (now_ns() - sent) / 1000);
}

static void *read_back(void *opaque)
{
    struct reader *reader = opaque;
    /* Not consume_batch: that waits for its array to fill. */
    while (reader->received < reader->wanted && now_ns() < reader->deadline_ns)
        rd_kafka_consume_callback_queue(reader->queue, WAIT_MS, on_message, reader);
    return NULL;
}

static void sleep_until(int64_t ns)
{
    struct timespec at = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

int main(int argc, char **argv)
{
    const char *topic_name = NULL, *bootstrap = NULL;
    size_t record_bytes = 1000;
    double rate = 1000, duration_s = 20, ramp_s = 2;
    bool acknowledgements = false;
    rd_kafka_conf_t *producing = rd_kafka_conf_new(), *consuming = rd_kafka_conf_new();

    for (int option; (option = getopt(argc, argv, "b:t:s:r:d:w:aX:")) != -1;) {
        switch (option) {
        case 'b': bootstrap = optarg; break;
        case 't': topic_name = optarg; break;
        case 's': record_bytes = (size_t)atol(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 'd': duration_s = atof(optarg); break;
        case 'w': ramp_s = atof(optarg); break;
        case 'a': acknowledgements = true; break;
        case 'X': configure_pair(producing, optarg); break;
        default: die("see the head of latency.c");
        }
    }
    if (topic_name == NULL || bootstrap == NULL || record_bytes < sizeof(int64_t) || rate <= 0)
        die("latency wants -b, -t, and records of 8 bytes or more");

    configure(producing, "bootstrap.servers", bootstrap);
    configure(consuming, "bootstrap.servers", bootstrap);
    /* librdkafka leaves Nagle's algorithm on; the Java client never does. */
    configure(producing, "socket.nagle.disable", "true");
    configure(consuming, "socket.nagle.disable", "true");
    struct acknowledged acknowledged = {0};
    if (acknowledgements)
        rd_kafka_conf_set_dr_msg_cb(producing, on_delivery);
    rd_kafka_conf_set_opaque(producing, &acknowledged);
    rd_kafka_t *producer = new_client(RD_KAFKA_PRODUCER, producing);
    rd_kafka_t *consumer = new_client(RD_KAFKA_CONSUMER, consuming);
    rd_kafka_topic_t *into = new_topic(producer, topic_name), *out = new_topic(consumer, topic_name);
    char *payload = new_payload(record_bytes);

    int64_t start = now_ns(), step = (int64_t)(1e9 / rate);
    struct reader reader = {
        .queue = rd_kafka_queue_new(consumer),
        .wanted = (int64_t)((ramp_s + duration_s) * rate),
        .from_ns = start + (int64_t)(ramp_s * 1e9),
        .deadline_ns = start + (int64_t)((ramp_s + duration_s + STRAGGLE_S) * 1e9),
    };
    if (rd_kafka_consume_start_queue(out, 0, RD_KAFKA_OFFSET_BEGINNING, reader.queue))
        die("%s: %s", topic_name, rd_kafka_err2str(rd_kafka_last_error()));
    acknowledged.producer = producer;
    acknowledged.from = (int64_t)(ramp_s * rate);
    acknowledged.wanted = reader.wanted;
    acknowledged.deadline_ns = reader.deadline_ns;
    pthread_t thread, waiting;
    if (pthread_create(&thread, NULL, read_back, &reader))
        die("no thread for the consumer");
    if (acknowledgements && pthread_create(&waiting, NULL, await_acknowledgements, &acknowledged))
        die("no thread for the acknowledgements");

    for (int64_t record = 0; record < reader.wanted; record++) {
        sleep_until(start + record * step);
        int64_t sent = now_ns();
        memcpy(payload, &sent, sizeof sent);
        if (rd_kafka_produce(into, 0, RD_KAFKA_MSG_F_COPY, payload, record_bytes, NULL, 0, NULL))
            die("produce: %s", rd_kafka_err2str(rd_kafka_last_error()));
        if (!acknowledgements)
            rd_kafka_poll(producer, 0);
    }
    pthread_join(thread, NULL);
    if (acknowledgements)
        pthread_join(waiting, NULL);
    if (reader.received < reader.wanted)
        die("%ld of %ld records came back", reader.received, reader.wanted);
    printf("{\"records\": %ld, \"rate\": %.0f, ", reader.received, rate);
    print_percentiles(&reader.latencies);
    if (acknowledgements) {
        printf(", ");
        print_named_percentiles(&acknowledged.latencies, "produce_");
    }
    puts("}");
    return 0;
}
