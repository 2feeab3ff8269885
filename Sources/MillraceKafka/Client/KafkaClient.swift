#if Kafka
    internal import CRdKafka
    internal import MillraceSystem
    internal import Synchronization

    /// A connection to a cluster: one `rd_kafka_t`, destroyed with the value.
    ///
    /// **Thread-safety**: any thread, as librdkafka's.
    @safe final class KafkaClient: @unchecked Sendable {
        // Sendable: librdkafka's handles may be used by any thread; `pointer` never changes.

        enum Role { case consumer, producer }

        let pointer: OpaquePointer
        let address: KafkaAddress
        let notes = ClientNotes()
        /// The largest record in bytes that the client makes, `message.max.bytes`.
        let maxRecordBytes: Int
        private let properties: KafkaProperties
        private let hasGivenUpClosing = Atomic<Bool>(false)

        private static let errorBytes = 512
        private static let defaultMaxRecordBytes = 1_000_000

        /// Makes a client; nothing is sent yet.
        ///
        /// `fixed` are set after the user's properties; `events` are those that a queue hands over,
        /// by librdkafka's numbers.
        ///
        /// - Throws: `KafkaError` with `invalidArgument` for a property that librdkafka refuses.
        init(
            _ role: Role, _ address: KafkaAddress, _ properties: KafkaProperties,
            fixed: [(name: String, value: String)], events: Int32 = 0
        ) throws(KafkaError) {
            self.address = address
            self.properties = properties
            var configuration: OpaquePointer? = unsafe rd_kafka_conf_new()
            defer { unsafe configuration.map { unsafe rd_kafka_conf_destroy($0) } }
            guard let made = unsafe configuration else {
                throw KafkaError(.client, "librdkafka makes no configuration")
            }
            let own = [("client.id", "millrace"), ("log_level", "3")]
            for (name, value) in own { try unsafe Self.set(made, name, value, isSecret: false) }
            if role == .consumer { unsafe Self.shortenBackoff(made) }
            try properties.forEach { (name, value, isSecret) throws(KafkaError) in
                try unsafe Self.set(made, name, value, isSecret: isSecret)
            }
            for (name, value) in fixed + [("bootstrap.servers", address.bootstrap)] {
                try unsafe Self.set(made, name, value, isSecret: false)
            }
            maxRecordBytes =
                unsafe Self.number(made, "message.max.bytes") ?? Self.defaultMaxRecordBytes
            unsafe notes.listen(made)
            if events != 0 { unsafe rd_kafka_conf_set_events(made, events) }
            var text = [CChar](repeating: 0, count: Self.errorBytes)
            let type = role == .consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER
            // SAFETY: here and below texts have their true lengths, and what is given is copied.
            guard let client = unsafe rd_kafka_new(type, made, &text, text.count) else {
                throw KafkaError(
                    .invalidArgument, properties.redacted(Self.string(text)),
                    at: address.description, advice: "Look at what --kafka-property says.")
            }
            // The configuration is the client's now.
            unsafe configuration = nil
            unsafe pointer = client
        }

        deinit {
            let flags =
                hasGivenUpClosing.load(ordering: .relaxed)
                ? RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE : 0
            unsafe ClientEnd(pointer, flags: flags, notes).happen()
        }

        /// Lets the end of the client not wait for a group that no broker tells about the leaving.
        func giveUpClosing() { hasGivenUpClosing.store(true, ordering: .relaxed) }

        private static func set(
            _ configuration: OpaquePointer, _ name: String, _ value: String, isSecret: Bool
        ) throws(KafkaError) {
            var text = [CChar](repeating: 0, count: errorBytes)
            let result = unsafe rd_kafka_conf_set(configuration, name, value, &text, text.count)
            guard result != RD_KAFKA_CONF_OK else { return }
            let isUnknown = result == RD_KAFKA_CONF_UNKNOWN
            // What librdkafka says of a value quotes it.
            let said = isSecret ? "librdkafka does not take its value" : string(text)
            throw KafkaError(
                .invalidArgument,
                isUnknown
                    ? "librdkafka has no property '\(name)'" : "property '\(name)': \(said)",
                advice: "librdkafka's CONFIGURATION.md lists properties and their values.")
        }

        /// Lets a consumer whose queue was full fetch again at once, and not after librdkafka's second:
        /// it has worked off what was there long before.
        ///
        /// Before version 2.2 there is no such property, and the second stays.
        private static func shortenBackoff(_ configuration: OpaquePointer) {
            _ = unsafe rd_kafka_conf_set(configuration, "fetch.queue.backoff.ms", "5", nil, 0)
        }

        private static func number(_ configuration: OpaquePointer, _ name: String) -> Int? {
            var text = [CChar](repeating: 0, count: 32)
            var size = text.count
            guard unsafe rd_kafka_conf_get(configuration, name, &text, &size) == RD_KAFKA_CONF_OK
            else { return nil }
            return Int(string(text))
        }

        static func string(_ text: [CChar]) -> String {
            String(
                decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        /// Lets librdkafka call back what it has to say.
        func poll() { _ = unsafe rd_kafka_poll(pointer, 0) }

        // MARK: Errors

        /// An error code as an error, with what librdkafka said before where that is the reason.
        func error(
            _ code: rd_kafka_resp_err_t, _ text: String? = nil, at place: String? = nil
        ) -> KafkaError {
            poll()
            let said = unsafe rd_kafka_err2str(code).map { unsafe String(cString: $0) } ?? ""
            var message = text ?? said
            var found = KafkaError.code(of: code)
            if found == .noBroker, let reason = notes.now.error {
                let deeper = KafkaError.code(of: reason.code)
                if deeper == .notAuthenticated || deeper == .noBroker {
                    found = deeper
                    message += ": " + reason.text
                }
            }
            return KafkaError(
                found, properties.redacted(message).firstLine,
                at: place ?? address.description, advice: KafkaError.advice(for: found))
        }

        /// What makes it no use to go on trying; nil while there is hope.
        var hopeless: KafkaError? {
            poll()
            guard let reason = notes.now.error,
                KafkaError.code(of: reason.code) == .notAuthenticated
            else { return nil }
            return error(reason.code, reason.text)
        }

        // MARK: Questions to the cluster

        /// Asks again and again, in slices, until there is an answer or `patience` has run out.
        func asking<R>(
            _ patience: Patience, _ ask: (_ milliseconds: Int32) throws(KafkaError) -> R?
        ) throws(KafkaError) -> R {
            while true {
                var failure: KafkaError?
                do throws(KafkaError) {
                    if let answer = try ask(patience.sliceMilliseconds) { return answer }
                } catch {
                    guard error.code == .noBroker else { throw error }
                    failure = error
                }
                if let hopeless { throw hopeless }
                try patience.check(failure ?? error(RD_KAFKA_RESP_ERR__TIMED_OUT))
            }
        }

        /// The number of a topic's partitions; nil when there is no such topic, or none that we may
        /// see.
        ///
        /// All topics are asked for: a question about one would make it, where brokers do that.
        func partitions(of name: String, _ patience: Patience) throws(KafkaError) -> Int? {
            try unsafe ask(nil, name, patience)
        }

        /// The same; where it is not there, brokers that make topics by themselves make it.
        func partitions(making name: String, _ patience: Patience) throws(KafkaError) -> Int? {
            guard let topic = unsafe rd_kafka_topic_new(pointer, name, nil) else {
                throw error(rd_kafka_last_error(), at: name)
            }
            defer { unsafe rd_kafka_topic_destroy(topic) }
            return try unsafe ask(topic, name, patience)
        }

        @unsafe
        private func ask(
            _ topic: OpaquePointer?, _ name: String, _ patience: Patience
        ) throws(KafkaError) -> Int? {
            let found: Int = try unsafe metadata(topic, patience) {
                (metadata) throws(KafkaError) in
                try unsafe self.partitions(of: name, in: metadata)
            }
            return found == 0 ? nil : found
        }

        /// Reads what the cluster tells of a topic, or of all; again while `read` gives nil.
        @unsafe
        func metadata<R>(
            _ topic: OpaquePointer?, _ patience: Patience,
            _ read: (UnsafePointer<rd_kafka_metadata>) throws(KafkaError) -> R?
        ) throws(KafkaError) -> R {
            try asking(patience) { (milliseconds) throws(KafkaError) in
                var metadata: UnsafePointer<rd_kafka_metadata>?
                let code = unsafe rd_kafka_metadata(
                    self.pointer, topic == nil ? 1 : 0, topic, &metadata, milliseconds)
                guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata = unsafe metadata else {
                    throw self.error(code)
                }
                defer { unsafe rd_kafka_metadata_destroy(metadata) }
                return try unsafe read(metadata)
            }
        }

        /// 0 when there is no such topic; nil when that is not known yet.
        @unsafe
        private func partitions(
            of name: String, in metadata: UnsafePointer<rd_kafka_metadata>
        ) throws(KafkaError) -> Int? {
            for index in 0..<Int(unsafe metadata.pointee.topic_cnt) {
                let entry = unsafe metadata.pointee.topics[index]
                guard unsafe String(cString: entry.topic) == name else { continue }
                let problem = unsafe entry.err
                if problem == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE { return nil }
                if problem == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART { return 0 }
                guard problem == RD_KAFKA_RESP_ERR_NO_ERROR else {
                    throw error(problem, at: address.topic(name).description)
                }
                return Int(unsafe entry.partition_cnt)
            }
            return 0
        }

        /// For each of the first partitions of a topic, its first offset and the one behind its
        /// last.
        func offsets(
            of topic: String, partitions: Int, _ patience: Patience
        ) throws(KafkaError) -> [Range<Int64>] {
            // `rd_kafka_query_watermark_offsets` does not come back while no broker is there.
            let first = Int64(RD_KAFKA_OFFSET_BEGINNING)
            let last = Int64(RD_KAFKA_OFFSET_END)
            let lows = try offsets(of: topic, partitions, at: first, patience)
            let highs = try offsets(of: topic, partitions, at: last, patience)
            return zip(lows, highs).map { $0..<max($0, $1) }
        }

        /// The offsets that one of Kafka's special times stands for.
        private func offsets(
            of topic: String, _ partitions: Int, at time: Int64, _ patience: Patience
        ) throws(KafkaError) -> [Int64] {
            try asking(patience) { (milliseconds) throws(KafkaError) in
                guard let list = unsafe rd_kafka_topic_partition_list_new(Int32(partitions)) else {
                    return nil
                }
                defer { unsafe rd_kafka_topic_partition_list_destroy(list) }
                for partition in 0..<Int32(partitions) {
                    let entry = unsafe rd_kafka_topic_partition_list_add(list, topic, partition)
                    unsafe entry?.pointee.offset = time
                }
                let code = unsafe rd_kafka_offsets_for_times(self.pointer, list, milliseconds)
                guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw self.error(code) }
                return try unsafe self.offsets(in: list, partitions)
            }
        }

        @unsafe
        private func offsets(
            in list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>, _ partitions: Int
        ) throws(KafkaError) -> [Int64] {
            var found = [Int64](repeating: 0, count: partitions)
            for index in 0..<Int(unsafe list.pointee.cnt) {
                let entry = unsafe list.pointee.elems[index]
                let code = unsafe entry.err
                let partition = Int(unsafe entry.partition)
                guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
                    throw error(code, at: "\(address), partition \(partition)")
                }
                if found.indices.contains(partition) { found[partition] = unsafe entry.offset }
            }
            return found
        }

        /// What the cluster is called: by its own id, or by where it was asked for.
        func clusterName(_ patience: Patience) -> String {
            guard
                let text = unsafe rd_kafka_clusterid(pointer, patience.sliceMilliseconds)
            else { return address.brokers.map(\.description).sorted().joined(separator: ",") }
            defer { unsafe rd_kafka_mem_free(pointer, text) }
            return unsafe String(cString: text)
        }
    }

    extension String {
        /// Errors are one line.
        fileprivate var firstLine: String {
            String(split(separator: "\n").first ?? "").split(separator: "\r").joined(separator: " ")
        }
    }

    /// How long to go on trying.
    struct Patience: Sendable {
        private let end: Int64
        private let stop: StopRequest?
        private static let slice: Int32 = 1_000

        init(milliseconds: Int, stop: StopRequest? = nil) {
            end = Clock.monotonicNanoseconds() + Int64(milliseconds) * 1_000_000
            self.stop = stop
        }

        private var left: Int64 { (end - Clock.monotonicNanoseconds()) / 1_000_000 }

        /// How much of the time there still is.
        var leftMilliseconds: Int { Int(max(0, left)) }

        /// How long to wait for one answer: short, so that a request to stop is noticed.
        var sliceMilliseconds: Int32 { Int32(max(1, min(left, Int64(Self.slice)))) }

        /// Throws `failure` when there was time enough, and when a stop is asked for.
        func check(_ failure: KafkaError) throws(KafkaError) {
            if left <= 0 || stop?.isSet == true { throw failure }
            // A refused connection comes back at once.
            PinnedThread.sleep(nanoseconds: 20_000_000)
        }
    }

    extension KafkaError {
        /// The kind of failure behind a code of librdkafka.
        static func code(of code: rd_kafka_resp_err_t) -> Code {
            switch code {
            case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN,
                RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__TIMED_OUT,
                RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
                RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
                RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
                RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
                .noBroker
            case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR__SSL,
                RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
                RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
                .notAuthenticated
            case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
                RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
                RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
                .notAuthorised
            case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
                RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
                .noSuchTopic
            case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
                .offsetOutOfRange
            case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
                RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
                .tooLarge
            case RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
                RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
                RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
                .fenced
            default: .client
            }
        }

        static func advice(for code: Code) -> String? {
            switch code {
            case .noBroker:
                "Check the address and that the broker runs; then run the same command again."
            case .notAuthenticated:
                "Check security.protocol, the certificates and the sasl.* properties."
            case .notAuthorised: "Ask who runs the cluster for the right to do this."
            case .noSuchTopic: "Check the name, or create it with Kafka's own tools."
            case .tooLarge:
                "Raise message.max.bytes (--kafka-property) here and max.message.bytes of the topic."
            case .fenced: oneAtATime
            default: nil
            }
        }
    }
#endif
