import Foundation
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillracePipeline

/// What a running stage tells other processes.
@Suite struct StageReportTests {
    @Test func aStageTellsItsVersionAndLatencyWhileItRuns() throws {
        let models = try NumberedModels()
        try models.publish()
        try models.publish()
        let data = models.directory.path
        let run = try PipelineRun(
            PipelineDefinition(
                topics: [
                    try .existing("rows", data: data),
                    TopicDefinition(name: "scores", content: .predictions),
                ],
                stages: [
                    StageDefinition(
                        name: "score",
                        work: .score(ScoreStage(from: "rows", to: "scores", model: "m")))
                ]), options: RunOptions(data: data, follow: true), logger: .silent)
        let failure = Lock<(any Error)?>(nil)
        let thread = try PinnedThread(name: "run", core: nil) {
            do { try run.runStages() } catch { failure.withLock { $0 = error } }
        }
        defer {
            run.stop()
            thread.join()
        }
        // What a process that was killed has left behind.
        let gone = ProcessIdentity(
            pid: 1, startTime: 1, namespace: try ProcessIdentity.ownNamespace())
        StageReport.prepare("score", data: data)
        StageReport(gone, modelVersion: 7, latency: nil).write("score", data: data)
        try models.append(100)
        var found: [StageReport] = []
        for _ in 0..<1000 {
            found = StageReport.all(of: "score", data: data)
            if found.first?.latency != nil { break }
            PinnedThread.sleep(nanoseconds: 10_000_000)
        }
        try #require(found.count == 1)
        #expect(found[0].process == Int(getpid()))
        #expect(found[0].modelVersion == 2)
        let latency = try #require(found[0].latency)
        #expect(latency.batches >= 1)
        #expect(0 < latency.p50 && latency.p50 <= latency.p99 && latency.p99 <= latency.p999)
        run.stop()
        thread.join()
        #expect(failure.withLock { $0 } == nil)
        #expect(StageReport.all(of: "score", data: data).isEmpty)
    }

    /// A report of another namespace lives while it says something; its time may be any number.
    @Test(arguments: [Int64.min, .max])
    func reportsOfNoTime(_ time: Int64) throws {
        let directory = try TemporaryDirectory()
        StageReport.prepare("g", data: directory.path)
        let stranger = ProcessIdentity(pid: 1, startTime: 1, namespace: 1)
        StageReport(stranger, modelVersion: 7, latency: nil).write("g", data: directory.path)
        let stages = directory.path + "/groups/g/stages"
        let path = "\(stages)/\(try #require(try Files.list(stages).first))"
        let text = String(decoding: try Files.read(path, maxBytes: 1 << 16), as: UTF8.self)
        let forged = text.replacing(/"written" *: *[0-9]+/, with: "\"written\":\(time)")
        #expect(forged != text)
        try Files.writeDurably(path, Array(forged.utf8))
        let found = StageReport.all(of: "g", data: directory.path)
        #expect(found.map(\.modelVersion) == (time > 0 ? [7] : []))
    }

    @Test func whatIsNoReportIsPassedOver() throws {
        let directory = try TemporaryDirectory()
        #expect(StageReport.all(of: "g", data: directory.path).isEmpty)
        let stages = directory.path + "/groups/g/stages"
        try Files.createDirectory(stages)
        for (name, text) in [("1.json", "{"), ("2.json", ""), ("3.json.new", "{}"), ("x", "{}")] {
            try Files.writeDurably("\(stages)/\(name)", Array(text.utf8))
        }
        #expect(StageReport.all(of: "g", data: directory.path).isEmpty)
    }

    /// Beside the quantiles of the durations themselves, sorted.
    @Test func quantilesAreAtMostASixteenthAbove() throws {
        var random = SplitMix64(seed: 11)
        let recorder = LatencyRecorder()
        let durations = (0..<20_000).map { _ in
            Int64(exp2(Double.random(in: 10..<35, using: &random)))
        }
        for duration in durations { recorder.add(nanoseconds: duration) }
        let sorted = durations.sorted()
        let found = try #require(BatchLatency(recorder.snapshot))
        #expect(found.batches == 20_000)
        for (part, value) in [(0.5, found.p50), (0.99, found.p99), (0.999, found.p999)] {
            let exact = Double(sorted[Int((part * 20_000).rounded(.up)) - 1]) / 1000
            #expect(value >= exact && value <= exact * (1 + 1 / 16.0), "\(part)")
        }
        #expect(BatchLatency(Array(repeating: 0, count: LatencyRecorder.buckets)) == nil)
    }

    @Test func everyDurationHasABucket() {
        for duration in [-5, 0, 1, 1023, 1024, 1087, 1088, 1 << 35, 1 << 50, .max] as [Int64] {
            let bucket = LatencyRecorder.bucket(of: duration)
            #expect((0..<LatencyRecorder.buckets).contains(bucket))
            #expect(LatencyRecorder.bound(of: bucket) >= min(duration, 1 << 36))
        }
        for bucket in 1..<LatencyRecorder.buckets {
            let bound = LatencyRecorder.bound(of: bucket)
            #expect(bound > LatencyRecorder.bound(of: bucket - 1))
            #expect(LatencyRecorder.bucket(of: bound - 1) == bucket)
        }
    }
}
