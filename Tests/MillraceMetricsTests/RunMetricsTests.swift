import MillraceCompute
import MillracePipeline
import Testing

@testable import MillraceMetrics

@Suite struct RunMetricsTests {
    /// The samples of a text, by name and labels; every line has to be one or a comment before it.
    static func samples(_ text: String) throws -> [String: Double] {
        var samples: [String: Double] = [:]
        var described: Set<Substring> = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let words = line.split(separator: " ")
            if line.hasPrefix("# HELP ") || line.hasPrefix("# TYPE ") {
                if words[1] == "TYPE" { #expect(described.insert(words[2]).inserted, "\(line)") }
                continue
            }
            let cut = try #require(line.lastIndex(of: " "), "\(line)")
            let name = line[..<cut].prefix { $0 != "{" }
            let family =
                ["_bucket", "_sum", "_count"].first {
                    name.hasSuffix($0) && described.contains(name.dropLast($0.count))
                }.map { name.dropLast($0.count) } ?? name
            #expect(described.contains(family), "\(line)")
            #expect(
                samples.updateValue(
                    try #require(Double(line[line.index(after: cut)...]), "\(line)"),
                    forKey: String(line[..<cut])) == nil, "\(line)")
        }
        return samples
    }

    private static func stage(_ counts: [Int], nanoseconds: Int64) -> StageProgress {
        var stage = StageProgress(
            name: "pre\"dict\\\n", kind: "score", state: .running, rowsDone: 99, modelVersion: 7,
            modelCreated: 1_700_000_000, rejectedRows: 3, refusedVersions: 2,
            rowsProcessed: 12_345_678)
        stage.batches = DurationCounts(counts: counts, nanoseconds: nanoseconds)
        return stage
    }

    @Test func everythingOfAStage() throws {
        var counts = [Int](repeating: 0, count: 25)
        counts[0] = 4
        counts[7] = 5
        counts[24] = 1
        let text = RunMetrics.text(
            stages: [Self.stage(counts, nanoseconds: 60_001_500_000)], groups: [], version: "1.2")
        let samples = try Self.samples(text)
        let stage = #"stage="pre\"dict\\\n""#
        let both = stage + #",kind="score""#
        #expect(
            samples[
                "millrace_build_info{version=\"1.2\",kernels=\"\(KernelSet.best.rawValue)\",openblas=\"\(OpenBLAS.prepare().core)\"}"
            ]
                == 1)
        #expect(samples["millrace_stage_rows_total{\(both)}"] == 12_345_678)
        #expect(samples["millrace_stage_rows_done{\(both)}"] == 99)
        #expect(samples["millrace_stage_rejected_rows_total{\(both)}"] == 3)
        #expect(samples["millrace_stage_refused_versions_total{\(stage)}"] == 2)
        #expect(samples["millrace_stage_model_version{\(stage)}"] == 7)
        #expect(
            samples["millrace_stage_model_created_timestamp_seconds{\(stage)}"] == 1_700_000_000)
        #expect(samples["millrace_stage_state{\(both),state=\"running\"}"] == 1)
        #expect(samples["millrace_stage_state{\(both),state=\"done\"}"] == 0)
        let batch = "millrace_stage_batch_duration_seconds"
        #expect(samples["\(batch)_bucket{\(both),le=\"1e-06\"}"] == 4)
        #expect(samples["\(batch)_bucket{\(both),le=\"0.0001\"}"] == 4)
        #expect(samples["\(batch)_bucket{\(both),le=\"0.0002\"}"] == 9)
        #expect(samples["\(batch)_bucket{\(both),le=\"50.0\"}"] == 9)
        #expect(samples["\(batch)_bucket{\(both),le=\"+Inf\"}"] == 10)
        #expect(samples["\(batch)_count{\(both)}"] == 10)
        #expect(samples["\(batch)_sum{\(both)}"] == 60.0015)
        #expect(!text.contains("millrace_stage_loss") && !text.contains("millrace_group"))
    }

    @Test func trainersAndSources() throws {
        let stages = [
            StageProgress(name: "rows.csv", kind: "source", state: .done, rowsDone: 9),
            StageProgress(
                name: "learn", kind: "train", state: .failed, loss: .nan, auc: 0.75,
                accuracy: 0.5),
        ]
        let samples = try Self.samples(
            RunMetrics.text(stages: stages, groups: [], version: "1"))
        #expect(samples["millrace_stage_loss{stage=\"learn\"}"]?.isNaN == true)
        #expect(samples["millrace_stage_auc{stage=\"learn\"}"] == 0.75)
        #expect(samples["millrace_stage_accuracy{stage=\"learn\"}"] == 0.5)
        #expect(
            samples.keys.allSatisfy { !$0.contains("batch_duration") && !$0.contains("refused") })
    }

    @Test func boundsAreInOrder() {
        let bounds = DurationCounts.bounds
        #expect(bounds.first == 1000 && bounds.last == 50_000_000_000)
        #expect(bounds == bounds.sorted() && bounds.count == 24)
    }
}
