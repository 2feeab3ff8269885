internal import BenchmarkSupport
internal import CBareMetal
internal import LogFigures
internal import Millrace

/// What a stream adds to training.
enum StreamFigures {
    private static let rows = 1 << 20
    /// How often a run goes over the rows: opening, a last checkpoint and a version are part of it.
    private static let passes = 4

    /// From a topic beside from memory, on one core.
    ///
    /// The fast trainer has four times the rows.
    static func stream(samples count: Int, core: Int) throws {
        print("\n" + FigureTable.head)
        for work in Work.allCases {
            let isLinear = work == .logistic
            let rows = try Rows(isLinear ? 4 * rows : rows)
            let stream = try Stream(rows, labels: work.labels(rows), partitions: 1)
            var times: [(stream: Double, beside: Double)] = []
            for sample in 0...count {
                let streamed = try stream.train(work.define, cores: [core], passes: passes)
                let decoded = isLinear ? try stream.decode() : 0
                // As many at once as a stage learns.
                let trained = try work.train(rows, scaler: true, atOnce: Rows.batch).time
                // The first one maps the files.
                if sample > 0 { times.append((streamed, decoded + trained)) }
            }
            let ratio = Spread(times.map { $0.beside / $0.stream })
            print(
                FigureTable.line(
                    "\(work), from a topic",
                    beside: isLinear
                        ? "decoding and training, in series" : "training from memory",
                    .atLeast(0.85), ratio, ours: rate(times.map(\.stream)),
                    other: rate(times.map(\.beside)), dropped: 0,
                    limit: "copies of the rows, metrics, the last checkpoint and version"))
        }
    }

    private static func rate(_ times: [Double]) -> String {
        "\(Spread(times.map { 1000 / $0 })) M rows/s"
    }

    /// Two slots beside one, and two bare threads beside one.
    static func slots(samples count: Int) throws {
        let cores = Array(CoreList(automaticOn: .current()).cores.prefix(2))
        guard cores.count == 2 else { return print("two cores are needed, there is one") }
        let rows = try Rows(rows)
        let stream = try Stream(rows, labels: Work.mlp.labels(rows), partitions: 2)
        print("\n| Training | Asked | Of the bare scaling | Two slots / one | Bare threads |")
        print("| --- | --- | --- | --- | --- |")
        for (name, asked, sync) in [
            ("mlp, averaged every 65,536 rows", 0.93, Synchronization.average(everyRows: 65_536)),
            ("mlp, reduced, batches of 1,024", 0.82, .reduce),
        ] {
            func define(_ stage: inout TrainStage) {
                Work.mlp.define(&stage)
                stage.synchronization = sync
                if sync == .reduce { stage.batchRows = 1024 }
            }
            var own: [Double] = []
            var bare: [Double] = []
            for sample in 0...count {
                let one = try stream.train(define, cores: [cores[0]], passes: passes)
                let two = try stream.train(define, cores: cores, passes: passes)
                let threads = try scaling(cores)
                guard sample > 0 else { continue }
                own.append(one / two)
                bare.append(threads)
            }
            let part = Spread(zip(own, bare).map { $0 / $1 })
            print(
                "| \(name) | >= \(decimal(asked)) | \(part) | \(Spread(own)) | \(Spread(bare)) |")
        }
    }

    private static func scaling(_ cores: [Int]) throws -> Double {
        var numbers = cores.map { Int32($0) }
        // SAFETY: the numbers are read during the call.
        let one = unsafe bare_multiply_together(&numbers, 1, 300_000_000)
        let two = unsafe bare_multiply_together(&numbers, 2, 300_000_000)
        guard one > 0, two > 0 else { throw Peer.Failure("threads cannot be pinned") }
        return two / one
    }

    /// What a checkpoint of a model with a million parameters takes of the training.
    static func checkpoint(samples count: Int, core: Int) throws {
        let rows = try Rows(256 * 64)
        let stream = try Stream(rows, labels: Work.mlp.labels(rows), partitions: 1)
        let every = 256 * 8
        var stalls: [Double] = []
        var steps: [Double] = []
        for sample in 0...count {
            func train(checkpoints: Bool) throws -> Double {
                try stream.train(
                    { stage in
                        Work.mlp.define(&stage)
                        stage.learner.hidden = [1024, 896]
                        stage.checkpointEveryRows = checkpoints ? every : rows.count * 2
                    }, cores: [core]) * Double(rows.count) * 1e-6
            }
            let without = try train(checkpoints: false)
            let with = try train(checkpoints: true)
            guard sample > 0 else { continue }
            stalls.append((with - without) / Double(rows.count / every - 1))
            steps.append(without / Double(rows.count / 256))
        }
        print("\n| Checkpoint of a model with 992,000 parameters, every 8 steps | Asked | Stall |")
        print("| --- | --- | --- |")
        print(
            "| MLP 64-1024-896-10, Adam; a step takes \(Spread(steps)) ms | < 5 ms "
                + "| \(Spread(stalls)) ms |")
    }
}
