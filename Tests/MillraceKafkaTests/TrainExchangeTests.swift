#if Kafka
    import CRdKafka
    import Logging
    import Millrace
    import MillraceLog
    import MillraceSystem
    import MillraceTestSupport
    import Testing

    @testable import MillraceKafka

    /// Trainers of several hosts that exchange through a topic of Kafka.
    @Suite(.serialized) struct KafkaExchangeTests {
        private let cluster: MockCluster

        init() throws { cluster = try MockCluster() }

        /// The mock cluster answers a fetch that finds nothing only when its time is over.
        private static let properties = "properties: {fetch.wait.max.ms: 20}"
        private static let options = "logistic: {}, batch: 16, publish: {everyRows: 100}"

        /// A data directory, as each host has its own, with rows of two partitions.
        private func host() throws -> TestLog {
            let log = try TestLog()
            let topic = try log.create(
                "rows",
                TopicConfiguration(partitions: 2, kind: .features, features: 2, label: true))
            for partition in 0..<2 {
                try log.append(Self.rows(partition), to: topic, partition: partition, batch: 40)
            }
            return log
        }

        private static func rows(_ partition: Int) -> [TestRow] {
            var random = SplitMix64(seed: UInt64(partition))
            return (0..<400).map { _ in
                let numbers = [Float(random.unit() * 4 - 2), Float(random.unit() * 4 - 2)]
                return TestRow(features: numbers, label: numbers[0] + numbers[1] / 2 > 0 ? 1 : 0)
            }
        }

        private func pipeline(
            _ name: String, partition: Int, patience: Int = 60
        ) throws -> String {
            """
            topics: {rows: {partitions: 2, features: 2, label: true}}
            stages:
              learn:
                {kind: train, from: rows, model: m, partitions: [\(partition)], \(Self.options),
                 exchange: {topic: '\(try cluster.address("averages"))', trainer: \(name),
                  everyRows: 64, roundTime: 5, patience: \(patience), \(Self.properties)}}
            """
        }

        /// The versions of a host, by the round whose average they are.
        private func versions(_ log: TestLog) throws -> [Int: Model] {
            let repository = ModelRepository(path: log.data.path + "/models")
            var found: [Int: Model] = [:]
            for version in try repository.versions(of: "m") {
                let loaded = try repository.load("m", version: version)
                let key = loaded.manifest.publication.key.split(separator: "/")
                found[try #require(key.last.flatMap { Int($0) })] = loaded.model
            }
            return found
        }

        /// Two hosts publish the same averages, bit for bit.
        @Test func hostsAgree() throws {
            try cluster.create("averages", partitions: 1)
            let hosts = [try host(), try host()]
            let failures = Lock<[any Error]>([])
            let threads = try hosts.enumerated().map { index, log in
                let text = try pipeline(["a", "b"][index], partition: index)
                return try PinnedThread(name: "host", core: nil) {
                    do { _ = try log.run(text) } catch { failures.withLock { $0.append(error) } }
                }
            }
            for thread in threads { thread.join() }
            #expect(failures.withLock { $0.isEmpty }, "\(failures.withLock { $0 })")
            let (first, second) = (try versions(hosts[0]), try versions(hosts[1]))
            let both = Set(first.keys).intersection(second.keys)
            #expect(!both.isEmpty)
            for round in both { #expect(first[round] == second[round], "round \(round)") }
            // A third host that learns nothing has the newest average all the same, and goes on with
            // it when there are rows.
            let again = try hosts[0].run(pipeline("a", partition: 0))
            #expect(again.summary.stages.first?.rowsRead == 400)
            #expect(try versions(hosts[0]).count == first.count)
        }

        /// Rows and averages both come from Kafka, each trainer with partitions of its own.
        @Test func rowsOfChosenPartitions() throws {
            try cluster.create("averages", partitions: 1)
            try cluster.create("rows", partitions: 2)
            for partition in 0..<2 {
                let records = Self.rows(partition).map { row in
                    let numbers = row.features.map { "\($0)" }.joined(separator: ",")
                    let text = "{\"features\":[\(numbers)],\"label\":\(row.label ?? 0)}"
                    return TestRecord(value: Array(text.utf8))
                }
                try cluster.produce(records, to: "rows", partition: partition)
            }
            let log = try TestLog()
            let properties = "properties: {session.timeout.ms: 6000, heartbeat.interval.ms: 500}"
            for (name, partition) in [("a", 0), ("b", 1)] {
                let result = try log.run(
                    """
                    topics:
                      rows: {kafka: '\(cluster.address("rows"))', features: 2, label: true,
                             format: json, \(properties)}
                    stages:
                      learn-\(name):
                        {kind: train, from: rows, model: m, partitions: [\(partition)],
                         \(Self.options), exchange: {topic: '\(cluster.address("averages"))',
                         trainer: \(name), everyRows: 64, \(Self.properties)}}
                    """)
                #expect(result.summary.stages.first?.rowsRead == 400)
            }
            let repository = ModelRepository(path: log.data.path + "/models")
            let newest = try #require(try repository.versions(of: "m").max())
            let loaded = try repository.load("m", version: newest)
            #expect(loaded.manifest.publication.rows == 800)
            #expect(loaded.manifest.publication.positions.map(\.partition) == [1])
            let committed = try cluster.committed("learn-b", "rows", partitions: 2)
            #expect(committed[1] == 400)
        }

        /// A trainer that is killed, in a process of its own, goes on; all rows are in the averages.
        @Test func trainersThatAreKilled() throws {
            try cluster.create("averages", partitions: 1)
            let hosts = [try host(), try host()]
            let seed = UInt64.random(in: 0...UInt64.max)
            print("Kafka exchange kills: seed \(seed)")
            var random = SplitMix64(seed: seed)
            func start(_ index: Int) throws -> ChildProcess {
                try ChildProcess(
                    ChildProcess.besideUs("millrace"),
                    [
                        "train", "rows", "--model", "m", "--linear", "logistic", "--batch", "16",
                        "--partitions", "\(index)", "--trainer", ["a", "b"][index],
                        "--exchange", "\(cluster.address("averages"))", "--exchange-rows", "64",
                        "--round-time", "1", "--kafka-property", "fetch.wait.max.ms=20",
                    ], environment: ["MILLRACE_DATA=\(hosts[index].data.path)"])
            }
            var processes = [try start(0), try start(1)]
            for _ in 0..<4 {
                PinnedThread.sleep(nanoseconds: 100_000_000 + Int64(random.unit() * 6e8))
                let index = Int(random.next() % 2)
                processes[index].kill()
                _ = processes[index].wait()
                processes[index] = try start(index)
            }
            for process in processes { #expect(process.wait() == .code(0)) }
            var newest = 0
            for log in hosts {
                let repository = ModelRepository(path: log.data.path + "/models")
                for version in try repository.versions(of: "m") {
                    let loaded = try repository.load("m", version: version)
                    newest = max(newest, loaded.manifest.publication.rows)
                }
            }
            #expect(newest == 800)
        }

        /// Brokers that vanish while a trainer follows its rows: its next exchange ends with an error,
        /// and once they are back it goes on.
        @Test func brokersThatVanish() throws {
            try cluster.create("averages", partitions: 1)
            let log = try host()
            let arguments = [
                "train", "rows", "--model", "m", "--linear", "logistic", "--batch", "16",
                "--partitions", "0", "--trainer", "a", "--exchange-rows", "64",
                "--exchange", "\(try cluster.address("averages"))", "--patience", "2",
                "--kafka-property", "fetch.wait.max.ms=20",
            ]
            let environment = ["MILLRACE_DATA=\(log.data.path)"]
            let program = ChildProcess.besideUs("millrace")
            let process = try ChildProcess(
                program, arguments + ["--publish-every", "100", "--follow"],
                environment: environment)
            let repository = ModelRepository(path: log.data.path + "/models")
            let deadline = Clock.monotonicNanoseconds() + 60_000_000_000
            while try repository.versions(of: "m").count < 3,
                Clock.monotonicNanoseconds() < deadline
            {
                PinnedThread.sleep(nanoseconds: 20_000_000)
            }
            cluster.setDown(true)
            let topic = try log.data.topic("rows")
            try log.append(Self.rows(0), to: topic, partition: 0, batch: 40)
            let begun = Clock.monotonicNanoseconds()
            let ending = process.wait()
            #expect(ending != .code(0))
            #expect(Clock.monotonicNanoseconds() - begun < 40_000_000_000)
            cluster.setDown(false)
            let again = try ChildProcess(
                program, arguments + ["--publish-every", "100"], environment: environment)
            #expect(again.wait() == .code(0))
            let newest = try #require(try repository.versions(of: "m").max())
            #expect(try repository.load("m", version: newest).manifest.publication.rows == 800)
        }

        /// Brokers that are away for longer than they may be are an error that says so.
        @Test func brokersThatAreAway() throws {
            try cluster.create("averages", partitions: 1)
            let log = try host()
            _ = try log.run(pipeline("b", partition: 1))
            cluster.setDown(true)
            let begun = Clock.monotonicNanoseconds()
            let error = #expect(throws: PipelineError.self) {
                _ = try log.run(pipeline("b", partition: 0, patience: 2))
            }
            #expect(Clock.monotonicNanoseconds() - begun < 40_000_000_000)
            #expect(error?.code == .inputOutput || error?.code == .tryLater, "\(error as Any)")
            cluster.setDown(false)
        }
    }
#endif
