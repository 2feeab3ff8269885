internal import BenchmarkSupport
internal import CBareMetal
internal import LogFigures
internal import Millrace

/// How long it takes until a version that was published is ready to score.
enum LoadFigures {
    static func run(samples count: Int) throws {
        let directory = try WorkDirectory()
        let repository = ModelRepository(path: directory.path)
        print("\n| Model | Asked | Load, check and prepare | Publish |")
        print("| --- | --- | --- | --- |")
        for (widths, asked) in [([64, 128, 64, 10], "-"), ([512, 1024, 448, 10], "< 50 ms")] {
            let name = "m-" + widths.map(String.init).joined(separator: "-")
            let model = try randomModel(widths, seed: 1)
            var loads: [Double] = []
            var publications: [Double] = []
            for _ in 0...count {
                let begun = bare_clock()
                let version = try repository.publish(model, as: name, Publication(key: ""))
                let published = bare_clock()
                let loaded = try repository.load(name, version: version)
                let ended = bare_clock()
                precondition(loaded.prepared.outputWidth == 10)
                publications.append(Double(published - begun) / 1e6)
                loads.append(Double(ended - published) / 1e6)
            }
            let weights = zip(widths, widths.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 + $1.1 }
            print(
                "| \(name), \(weights) weights | \(asked) | \(Spread(Array(loads.dropFirst()))) ms "
                    + "| \(Spread(Array(publications.dropFirst()))) ms |")
        }
    }
}
