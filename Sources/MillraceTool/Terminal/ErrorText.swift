/// An error as the tool reports it: what and where on one line, what to do on a second.
enum ErrorText {
    private static let mostLines = 2

    /// The text for standard error.
    static func render(_ error: any Error, colours: Bool) -> String {
        let lines = TerminalText.printable("\(error)").split(separator: "\n")
        var text = TerminalStyle.bold("millrace: ", when: colours)
        text += TerminalStyle.red("error: ", when: colours)
        text += lines.prefix(mostLines).joined(separator: "\n")
        return text + "\n"
    }
}
