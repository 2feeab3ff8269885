import MillraceSystem
import MillraceTestSupport
import Testing

/// The fuzzer's program without libFuzzer: its corpus, and changes to it that follow from a seed.
@Suite struct FuzzReplayTests {
    @Test func nothingTrapsAndNoRowIsWrong() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let runs = Environment.number("MILLRACE_FUZZ_RUNS", or: 2_000)
        print("fuzz replay, seed \(seed), \(runs) runs")
        let fuzzer = try ChildProcess(
            ChildProcess.besideUs("MillraceFuzz"), ["seed=\(seed)", "runs=\(runs)"])
        let said = fuzzer.readToEnd()
        #expect(fuzzer.wait() == .code(0), "\(said)")
        // It came to files that are refused and to files that are not.
        #expect(said.contains { $0.hasSuffix("batch: corrupt data, then corrupt data") }, "\(said)")
        #expect(said.contains { $0.hasSuffix("directory: all rows, then all rows") }, "\(said)")
        #expect(said.contains { $0.contains("description: not opened") }, "\(said)")
    }
}
