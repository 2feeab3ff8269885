import Glibc
import MillraceModels
import MillraceRepository
import MillraceSystem
import MillraceTestSupport

/// A process that kills itself while it publishes.
///
///     MillraceModelsWorker models=DIR key=KEY call=N
///
/// SIGKILL comes just before its Nth call of the kernel on a file of the directory. It prints the
/// version when it gets to the end before that.
@main enum Worker {
    static func main() {
        do {
            let options = try Options(CommandLine.arguments.dropFirst())
            let models = try options.text("models")
            let death = Death(before: try options.number("call"))
            DiskObservation.install(death, on: models)
            let version = try ModelRepository(path: models).publish(
                publishedModel(), as: "m", Publication(key: options.text("key")))
            say("\(version)")
        } catch {
            say("\(error)")
            exit(1)
        }
    }

    private static func publishedModel() throws -> Model {
        let layer = DenseLayer(inputs: 2, outputs: 1, weights: [1, -1], bias: [0.5])
        return try Model(input: InputStage(identity: 2), layers: [layer], head: .sigmoid)
    }
}

/// Ends the process with SIGKILL before the call of a number, counted from 1.
private final class Death: DiskObserver {
    private let call: Int
    private let calls = Lock(0)

    init(before call: Int) { self.call = call }

    func willPerform(_ call: DiskCall) -> DiskAnswer {
        let number = calls.withLock { count in
            count += 1
            return count
        }
        if number == self.call { kill(getpid(), SIGKILL) }
        return .proceed
    }
}
