import Experiments
import Mustache

/// Puts the page together.
enum ReportTemplate {
  /// - Throws: A Mustache parser error; none is expected.
  static func render(_ page: ReportPage) throws -> String {
    MustacheContentTypes.register(HTMLText(), named: HTMLText.name)
    // A template starts over with the library's own escaping, so each one has to ask for ours.
    let start = "{{% CONTENT_TYPE:\(HTMLText.name)}}"
    let library = MustacheLibrary(templates: [
      "scores": try MustacheTemplate(string: start + ReportMarkup.scores),
      "curves": try MustacheTemplate(string: start + ReportMarkup.curves),
      "stage": try MustacheTemplate(string: start + ReportMarkup.stage),
      "findings": try MustacheTemplate(string: start + ReportMarkup.findings),
      "drawing": try MustacheTemplate(string: start + ReportMarkup.drawing),
      "picture": try MustacheTemplate(string: start + ReportMarkup.picture),
      "images": try MustacheTemplate(string: start + ReportMarkup.images),
      "setting": try MustacheTemplate(string: start + ReportMarkup.setting),
    ])
    return try MustacheTemplate(string: start + ReportMarkup.page).render(page, library: library)
  }
}
