import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.Future;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.*;

/**
 * The Java client, told what to do line by line; clients/agent.py is the other end.
 *
 * <p>Written against what kafka-clients 2.8 and 4.1 have in common.
 */
public final class Agent {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final int HEARTBEAT_MS = 200;
    private static final int SESSION_MS = 10_000;

    private final String bootstrap;
    private final Admin admin;
    private final Map<String, Member> members = new HashMap<>();

    private Agent(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    public static void main(String[] arguments) throws IOException {
        Agent agent = new Agent(arguments[0]);
        BufferedReader requests =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            try {
                answers.println("ok\t" + String.join("\t", agent.answer(line.split("\t", -1))));
            } catch (Exception error) {
                error.printStackTrace();
                answers.println("error\t" + String.valueOf(error).replaceAll("\\s+", " "));
            }
        }
        System.exit(0);
    }

    private List<String> answer(String[] words) throws Exception {
        switch (words[0]) {
            case "produce":
                produce(words[1], words[2], words[3], Paths.get(words[4]));
                return List.of();
            case "consume":
                write(consume(words[1], Integer.parseInt(words[2])), Paths.get(words[3]));
                return List.of();
            case "join":
                members.put(words[1], new Member(words[2], words[3]));
                return List.of();
            case "assigned":
                return members.get(words[1]).assigned();
            case "read":
                write(members.get(words[1]).read(Integer.parseInt(words[2])), Paths.get(words[3]));
                return List.of();
            case "commit":
                members.get(words[1]).commit(words[2], Arrays.copyOfRange(words, 3, words.length));
                return List.of();
            case "leave":
                members.remove(words[1]).consumer.close();
                return List.of();
            default:
                return administer(words);
        }
    }

    private List<String> administer(String[] words) throws Exception {
        switch (words[0]) {
            case "create-topic":
                NewTopic topic = new NewTopic(words[1], Integer.parseInt(words[2]), (short) 1);
                topic.configs(pairs(Arrays.copyOfRange(words, 3, words.length)));
                admin.createTopics(List.of(topic)).all().get();
                return List.of();
            case "delete-topic":
                admin.deleteTopics(List.of(words[1])).all().get();
                return List.of();
            case "topics":
                return List.copyOf(admin.listTopics().names().get());
            case "partitions":
                return describe(words[1]).partitions().stream()
                        .map(each -> String.valueOf(each.partition()))
                        .collect(Collectors.toList());
            case "config":
                ConfigResource asked = new ConfigResource(ConfigResource.Type.TOPIC, words[1]);
                Config found = admin.describeConfigs(List.of(asked)).all().get().get(asked);
                return List.of(found.get(words[2]).value());
            case "set-config":
                setConfig(words[1], words[2], words[3]);
                return List.of();
            case "offset-at":
                TopicPartition place = new TopicPartition(words[1], Integer.parseInt(words[2]));
                return List.of(String.valueOf(offsetAt(place, Long.parseLong(words[3]))));
            case "delete-records":
                TopicPartition shortened = new TopicPartition(words[1], Integer.parseInt(words[2]));
                RecordsToDelete before = RecordsToDelete.beforeOffset(Long.parseLong(words[3]));
                admin.deleteRecords(Map.of(shortened, before)).all().get();
                return List.of();
            case "group":
                ConsumerGroupDescription group =
                        admin.describeConsumerGroups(List.of(words[1])).all().get().get(words[1]);
                // Its class moved between 2.8 and 4.1.
                Object state = ConsumerGroupDescription.class.getMethod("state").invoke(group);
                return List.of(state.toString(), String.valueOf(group.members().size()));
            case "committed":
                return committed(words[1], words[2]);
            default:
                throw new IllegalArgumentException("unknown request " + words[0]);
        }
    }

    private Map<String, Object> config(Map<String, Object> own) {
        Map<String, Object> config = new HashMap<>(own);
        config.put("bootstrap.servers", bootstrap);
        return config;
    }

    private void produce(String topic, String codec, String idempotent, Path path)
            throws Exception {
        Map<String, Object> config =
                config(
                        Map.of(
                                "compression.type", codec,
                                "enable.idempotence", idempotent,
                                "acks", "all",
                                "max.in.flight.requests.per.connection",
                                        idempotent.equals("true") ? 5 : 1,
                                "linger.ms", 5));
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Stored> records = read(path);
            List<Future<RecordMetadata>> sent = new ArrayList<>(records.size());
            for (Stored record : records) {
                sent.add(producer.send(record.toSend(topic)));
            }
            for (int at = 0; at < records.size(); at++) {
                RecordMetadata done = sent.get(at).get();
                if (done.offset() != records.get(at).offset) {
                    throw new IllegalStateException("acknowledged as " + done);
                }
            }
        }
    }

    private List<Stored> consume(String topic, int count) {
        Map<String, Object> config =
                config(Map.of("auto.offset.reset", "earliest", "enable.auto.commit", false));
        try (KafkaConsumer<byte[], byte[]> consumer = newConsumer(config)) {
            List<TopicPartition> places =
                    consumer.partitionsFor(topic).stream()
                            .map(each -> new TopicPartition(topic, each.partition()))
                            .collect(Collectors.toList());
            consumer.assign(places);
            consumer.seekToBeginning(places);
            return poll(consumer, count);
        }
    }

    private static KafkaConsumer<byte[], byte[]> newConsumer(Map<String, Object> config) {
        return new KafkaConsumer<>(
                config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static List<Stored> poll(KafkaConsumer<byte[], byte[]> consumer, int count) {
        List<Stored> records = new ArrayList<>();
        while (records.size() < count) {
            ConsumerRecords<byte[], byte[]> fetched = consumer.poll(PATIENCE);
            if (fetched.isEmpty()) {
                throw new IllegalStateException(
                        "only " + records.size() + " of " + count + " records came");
            }
            fetched.forEach(each -> records.add(new Stored(each)));
        }
        return records;
    }

    /** A group consumer. It heartbeats by itself, but rejoins only when it is polled. */
    private final class Member {
        final KafkaConsumer<byte[], byte[]> consumer;
        private final String topic;
        private final List<Stored> early = new ArrayList<>();

        Member(String group, String topic) {
            this.topic = topic;
            this.consumer =
                    newConsumer(
                            config(
                                    Map.of(
                                            "group.id", group,
                                            "auto.offset.reset", "earliest",
                                            "enable.auto.commit", false,
                                            "heartbeat.interval.ms", HEARTBEAT_MS,
                                            "session.timeout.ms", SESSION_MS)));
            consumer.subscribe(List.of(topic));
        }

        List<String> assigned() {
            consumer.poll(Duration.ofMillis(100)).forEach(each -> early.add(new Stored(each)));
            return consumer.assignment().stream()
                    .map(each -> String.valueOf(each.partition()))
                    .collect(Collectors.toList());
        }

        List<Stored> read(int count) {
            List<Stored> records = new ArrayList<>(early);
            early.clear();
            records.addAll(poll(consumer, count - records.size()));
            return records;
        }

        void commit(String metadata, String[] offsets) {
            Map<TopicPartition, OffsetAndMetadata> places = new HashMap<>();
            pairs(offsets)
                    .forEach(
                            (partition, offset) ->
                                    places.put(
                                            new TopicPartition(topic, Integer.parseInt(partition)),
                                            new OffsetAndMetadata(
                                                    Long.parseLong(offset), metadata)));
            consumer.commitSync(places);
        }
    }

    private static Map<String, String> pairs(String[] words) {
        return Arrays.stream(words)
                .map(word -> word.split("=", 2))
                .collect(Collectors.toMap(pair -> pair[0], pair -> pair[1]));
    }

    /** Describes a topic. 2.8 calls the result {@code all}, 4.1 {@code allTopicNames}. */
    @SuppressWarnings("unchecked")
    private TopicDescription describe(String topic) throws Exception {
        DescribeTopicsResult result = admin.describeTopics(List.of(topic));
        String name =
                Arrays.stream(DescribeTopicsResult.class.getMethods())
                        .map(method -> method.getName())
                        .filter(method -> method.equals("allTopicNames"))
                        .findFirst()
                        .orElse("all");
        Object future = DescribeTopicsResult.class.getMethod(name).invoke(result);
        return ((KafkaFuture<Map<String, TopicDescription>>) future).get().get(topic);
    }

    private void setConfig(String topic, String name, String value) throws Exception {
        AlterConfigOp change =
                new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
    }

    private long offsetAt(TopicPartition place, long timestamp) throws Exception {
        OffsetSpec spec =
                timestamp == -2
                        ? OffsetSpec.earliest()
                        : timestamp == -1
                                ? OffsetSpec.latest()
                                : OffsetSpec.forTimestamp(timestamp);
        return admin.listOffsets(Map.of(place, spec)).partitionResult(place).get().offset();
    }

    private List<String> committed(String group, String topic) throws Exception {
        return admin
                .listConsumerGroupOffsets(group)
                .partitionsToOffsetAndMetadata()
                .get()
                .entrySet()
                .stream()
                .filter(each -> each.getKey().topic().equals(topic))
                .map(
                        each ->
                                each.getKey().partition()
                                        + "="
                                        + each.getValue().offset()
                                        + "="
                                        + each.getValue().metadata())
                .collect(Collectors.toList());
    }

    /** A record as it stands in a file; record_file.py says how. */
    private static final class Stored {
        final int partition;
        final long offset;
        final long timestamp;
        final byte[] key;
        final byte[] value;
        final RecordHeaders headers = new RecordHeaders();

        Stored(ConsumerRecord<byte[], byte[]> record) {
            partition = record.partition();
            offset = record.offset();
            timestamp = record.timestamp();
            key = record.key();
            value = record.value();
            record.headers().forEach(headers::add);
        }

        Stored(DataInputStream file) throws IOException {
            partition = file.readInt();
            offset = file.readLong();
            timestamp = file.readLong();
            key = sized(file);
            value = sized(file);
            int count = file.readInt();
            for (int at = 0; at < count; at++) {
                headers.add(new String(sized(file), StandardCharsets.UTF_8), sized(file));
            }
        }

        ProducerRecord<byte[], byte[]> toSend(String topic) {
            return new ProducerRecord<>(topic, partition, timestamp, key, value, headers);
        }

        void write(DataOutputStream file) throws IOException {
            file.writeInt(partition);
            file.writeLong(offset);
            file.writeLong(timestamp);
            writeSized(file, key);
            writeSized(file, value);
            file.writeInt(headers.toArray().length);
            for (Header header : headers) {
                writeSized(file, header.key().getBytes(StandardCharsets.UTF_8));
                writeSized(file, header.value());
            }
        }
    }

    private static List<Stored> read(Path path) throws IOException {
        List<Stored> records = new ArrayList<>();
        try (DataInputStream file =
                new DataInputStream(new ByteArrayInputStream(Files.readAllBytes(path)))) {
            while (file.available() > 0) {
                records.add(new Stored(file));
            }
        }
        return records;
    }

    private static void write(List<Stored> records, Path path) throws IOException {
        try (DataOutputStream file =
                new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(path)))) {
            for (Stored record : records) {
                record.write(file);
            }
        }
    }

    private static byte[] sized(DataInputStream file) throws IOException {
        int size = file.readInt();
        return size < 0 ? null : file.readNBytes(size);
    }

    private static void writeSized(DataOutputStream file, byte[] bytes) throws IOException {
        file.writeInt(bytes == null ? -1 : bytes.length);
        if (bytes != null) {
            file.write(bytes);
        }
    }
}
