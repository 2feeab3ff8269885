#if Kafka
    import Glibc
    import MillraceLog
    import MillraceSystem
    import MillraceTestSupport
    import Testing

    @testable import MillraceKafka

    /// `millrace mirror` in processes that are killed at moments nobody chose.
    ///
    /// `MILLRACE_KILLS` sets how many.
    @Suite(.serialized) struct KafkaMirrorKillTests {
        private static let kills = Environment.number("MILLRACE_KILLS", or: 12)

        private func start(_ arguments: [String], _ log: TestLog) throws -> ChildProcess {
            try ChildProcess(
                ChildProcess.besideUs("millrace"),
                ["mirror"] + arguments + ["--patience", "30", "--json"],
                environment: ["MILLRACE_DATA=\(log.data.path)"])
        }

        /// From Kafka: whatever is killed and when, each record is in the log once.
        @Test func fromKafka() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 2)
            let log = try TestLog()
            let address = try cluster.address("k").description
            let seed = UInt64.random(in: 0...UInt64.max)
            var random = SplitMix64(seed: seed)
            var values: [[[UInt8]]] = [[], []]
            var stops: Set<Int> = []
            func copied() -> Int {
                (0..<2).reduce(0) { sum, partition in
                    sum + ((try? Int(log.data.topic("local").endOffset(partition: partition))) ?? 0)
                }
            }
            for _ in 0..<Self.kills {
                for partition in 0..<2 {
                    let records = (0..<3000).map { number in
                        TestRecord(value: Array("\(values[partition].count + number)".utf8))
                    }
                    try cluster.produce(records, to: "k", partition: partition)
                    values[partition] += records.map { $0.value ?? [] }
                }
                let child = try start([address, "local", "--follow"], log)
                let target = copied() + Int(random.next() % 6000)
                let total = values[0].count + values[1].count
                _ = eventually { copied() >= min(target, total) }
                PinnedThread.sleep(nanoseconds: Int64(random.next() % 20_000_000))
                child.kill()
                _ = child.wait()
                stops.insert(copied())
            }
            let last = try start([address, "local"], log)
            #expect(last.wait() == .code(0))
            for partition in 0..<2 {
                let rows = try log.rows("local", partition: partition)
                #expect(rows.map(\.value) == values[partition], "seed \(seed)")
                #expect(rows.map(\.source) == rows.indices.map { UInt64($0) })
            }
            // The moments have to differ for the test to be one.
            #expect(stops.count > Self.kills / 2, "\(stops)")
        }

        /// To Kafka, as far as the mock can judge.
        ///
        /// It shows rows of transactions that were never committed. So a kill counts where it
        /// struck between two transactions: the rows that are visible are those that the progress
        /// says. Then the next process has to go on exactly there. A kill within a transaction is
        /// followed by a topic of its own; what a broker makes of it only a real cluster shows.
        @Test func toKafka() throws {
            let cluster = try MockCluster()
            let log = try TestLog()
            let source = try log.create("source", TopicConfiguration(kind: .bytes))
            let seed = UInt64.random(in: 0...UInt64.max)
            var random = SplitMix64(seed: seed)
            var rows: [TestRow] = []
            var (judged, topics) = (0, 0)
            var name = ""
            for turn in 0..<Self.kills {
                if name.isEmpty {
                    topics += 1
                    name = "k\(topics)"
                    try cluster.create(name, partitions: 1)
                }
                let address = try cluster.address(name).description
                let more = (0..<40 + Int(random.next() % 60)).map {
                    TestRow(value: Array("\(rows.count + $0)".utf8), milliseconds: Int64(turn))
                }
                let child = try start(["source", address, "--follow"], log)
                // Rows come one by one, while the mirror works.
                for row in more {
                    try log.append([row], to: source, partition: 0, batch: 1)
                    PinnedThread.sleep(nanoseconds: Int64(random.next() % 3_000_000))
                }
                rows += more
                PinnedThread.sleep(nanoseconds: Int64(random.next() % 400_000_000))
                child.kill()
                _ = child.wait()
                let visible = try cluster.records(name, partition: 0).count
                let progress = try cluster.records(name + ProgressTopic.suffix, partition: 0).last
                let said = progress?.value.map { String(decoding: $0, as: UTF8.self) } ?? "0"
                if said == "\(visible)" {
                    judged += 1
                } else {
                    name = ""
                    continue
                }
                let last = try start(["source", address], log)
                #expect(last.wait() == .code(0))
                let found = try cluster.records(name, partition: 0).map { $0.value ?? [] }
                #expect(found == rows.map(\.value), "turn \(turn), seed \(seed)")
            }
            print("kills of mirrors to Kafka: \(judged) of \(Self.kills) judged, seed \(seed)")
            #expect(judged > 0)
        }

        /// SIGTERM ends it behind what it has read, with a summary.
        @Test func terminated() throws {
            let cluster = try MockCluster()
            try cluster.create("k", partitions: 1)
            let log = try TestLog()
            let address = try cluster.address("k").description
            try cluster.produce(
                (0..<100).map { TestRecord(value: [UInt8($0)]) }, to: "k", partition: 0)
            let child = try start([address, "local", "--follow"], log)
            _ = eventually { ((try? log.data.topic("local").endOffset(partition: 0)) ?? 0) == 100 }
            child.terminate()
            let output = child.readToEnd().joined()
            #expect(child.wait() == .code(0))
            #expect(output.contains("\"rows\" : 100"), "\(output)")
        }
    }
#endif
