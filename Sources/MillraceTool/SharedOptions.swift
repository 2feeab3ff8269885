internal import ArgumentParser
internal import Glibc
internal import Logging
internal import Millrace

/// Where the data is; the same for every command.
struct DataOptions: ParsableArguments {
    @Option(
        name: .customLong("data"),
        help: "The data directory. Default: MILLRACE_DATA, or ./millrace-data.")
    var dataOption: String?

    @Option(
        name: .customLong("models"),
        help: "The model repository. Default: MILLRACE_MODELS, or DATA/models.")
    var modelsOption: String?

    var data: String { dataOption ?? Environment.text("MILLRACE_DATA") ?? "./millrace-data" }
    var models: String { modelsOption ?? Environment.text("MILLRACE_MODELS") ?? data + "/models" }

    var repository: ModelRepository { ModelRepository(path: models) }

    /// The model and the version that NAME, NAME@7 or NAME@ALIAS means now.
    func find(_ text: String) throws(RepositoryError) -> (name: String, version: Int) {
        let reference = try ModelReference(parsing: text)
        return (reference.name, try repository.version(of: reference))
    }
}

/// Variables of the environment.
enum Environment {
    /// The value of a variable; nil when it is not set or empty.
    static func text(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }
}
