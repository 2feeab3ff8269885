import Glibc
import MillraceFuzzMain
import MillraceSystem

/// Runs one input; 0 when it may join the corpus, -1 when it is for another target.
///
/// A broken promise ends the process, which is what libFuzzer takes for a finding.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    guard let data = unsafe data else { return -1 }
    let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: size))
    return Bench.shared.run(bytes) ? 0 : -1
}

/// The program without libFuzzer.
///
///     MillraceFuzz FILE...              runs inputs that were found earlier
///     MillraceFuzz seed=S runs=N        runs N mutations of the corpus that follow from S
///     MillraceFuzz corpus=DIRECTORY     writes the corpus for libFuzzer
@c(millrace_fuzz_replay)
public func replay() -> Int32 {
    var seed = UInt64.random(in: 0...UInt64.max)
    var runs = 2_000
    var files: [String] = []
    for argument in CommandLine.arguments.dropFirst() {
        let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
        switch parts.first {
        case "seed": seed = UInt64(parts.last ?? "") ?? seed
        case "runs": runs = Int(parts.last ?? "") ?? runs
        case "corpus": return writeCorpus(parts.last ?? ".")
        default: files.append(argument)
        }
    }
    do {
        for file in files {
            print("running \(file)")
            _ = Bench.shared.run(try Files.read(file, maxBytes: 1 << 24))
        }
    } catch {
        print("\(error)")
        return 1
    }
    if files.isEmpty { mutate(seed: seed, runs: runs) }
    Bench.shared.remove()
    return 0
}

private func mutate(seed: UInt64, runs: Int) {
    var random = SplitMix64(seed: seed)
    let corpus = Corpus.inputs(Bench.shared)
    print("fuzzing without coverage: seed \(seed), \(runs) runs, \(corpus.count) seeds")
    for input in corpus { _ = Bench.shared.run(input) }
    var outcomes: [String: Int] = [:]
    for turn in 0..<runs {
        var input = corpus[turn % corpus.count]
        Corpus.mutate(&input, &random)
        Bench.shared.note(input)
        _ = Bench.shared.run(input) { outcomes[$0, default: 0] += 1 }
    }
    for (outcome, count) in outcomes.sorted(by: { $0.key < $1.key }) { print(count, outcome) }
}

private func writeCorpus(_ directory: String) -> Int32 {
    do {
        try Files.createDirectory(directory)
        for (index, input) in Corpus.inputs(Bench.shared).enumerated() {
            try Files.writeDurably("\(directory)/seed-\(index)", input)
        }
    } catch {
        print("\(error)")
        return 1
    }
    Bench.shared.remove()
    return 0
}
