internal import MillraceInput
package import MillraceLog

extension DataDirectory {
    /// Opens a topic that has to be there; where it is not, the error says which name was probably
    /// meant.
    ///
    /// - Throws: `PipelineError` with `noInput`, or what opening it throws.
    package func existingTopic(_ name: String) throws(PipelineError) -> Topic {
        do throws(LogError) { return try topic(name) } catch {
            guard error.code == .notFound else { throw PipelineError(error) }
        }
        let names: [String]
        do throws(LogError) { names = try topicNames() } catch { throw PipelineError(error) }
        let hint = NearestName.hint(name, among: names)
        throw PipelineError(
            .noInput, "there is no topic '\(name)' in \(path)\(hint)",
            advice: hint.isEmpty ? "millrace topic list shows what there is." : nil)
    }
}
