/* What the benchmark clients share: time, errors, settings, samples. Header-only, one user each. */
#ifndef EVERLOG_BENCH_CLIENT_H
#define EVERLOG_BENCH_CLIENT_H

#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REASON_BYTES 512

static inline int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static inline void *allocate(size_t bytes)
{
    void *memory = malloc(bytes);
    if (memory == NULL)
        die("out of memory: %zu bytes", bytes);
    return memory;
}

/* A record's value that no codec would shrink to nothing and no run would see change. */
static inline char *new_payload(size_t bytes)
{
    char *payload = allocate(bytes);
    unsigned seed = 1;
    for (size_t i = 0; i < bytes; i++)
        payload[i] = (char)('a' + rand_r(&seed) % 26);
    return payload;
}

static inline void configure(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char reason[REASON_BYTES];
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof reason) != RD_KAFKA_CONF_OK)
        die("%s=%s: %s", name, value, reason);
}

/* Apply one `-X name=value`; the argument is cut in two in place. */
static inline void configure_pair(rd_kafka_conf_t *conf, char *pair)
{
    char *equals = strchr(pair, '=');
    if (equals == NULL)
        die("-X wants name=value, not %s", pair);
    *equals = '\0';
    configure(conf, pair, equals + 1);
}

static inline rd_kafka_t *new_client(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char reason[REASON_BYTES];
    rd_kafka_t *client = rd_kafka_new(type, conf, reason, sizeof reason);
    if (client == NULL)
        die("%s", reason);
    return client;
}

static inline rd_kafka_topic_t *new_topic(rd_kafka_t *client, const char *name)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
    if (topic == NULL)
        die("topic %s: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
    return topic;
}

/* Every latency of a run, in microseconds; percentiles come from all of them, not from buckets. */
struct samples {
    uint32_t *us;
    size_t count;
    size_t room;
};

static inline void add_sample(struct samples *samples, int64_t us)
{
    if (samples->count == samples->room) {
        samples->room = samples->room ? samples->room * 2 : 1 << 16;
        samples->us = realloc(samples->us, samples->room * sizeof *samples->us);
        if (samples->us == NULL)
            die("out of memory: %zu samples", samples->room);
    }
    samples->us[samples->count++] = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static inline int compare_us(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* Nearest rank: the smallest sample that at least `percent` of all samples do not exceed. */
static inline double percentile_ms(const struct samples *samples, double percent)
{
    if (samples->count == 0)
        return 0;
    double exact = percent / 100 * (double)samples->count;
    size_t rank = (size_t)exact;
    if ((double)rank < exact)
        rank++;
    return samples->us[rank == 0 ? 0 : rank - 1] / 1e3;
}

static const struct {
    const char *name;
    double percent;
} percentiles[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p999", 99.9}, {"max", 100}};

/* Sort, and print as members of the JSON object that the caller has begun and will end. */
static inline void print_named_percentiles(struct samples *samples, const char *prefix)
{
    if (samples->count > 0)
        qsort(samples->us, samples->count, sizeof *samples->us, compare_us);
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++)
        printf("%s\"%s%s_ms\": %.3f", i ? ", " : "", prefix, percentiles[i].name,
               percentile_ms(samples, percentiles[i].percent));
}

static inline void print_percentiles(struct samples *samples)
{
    print_named_percentiles(samples, "");
}

#endif
