import Audit
import Experiments
import Files
import Mustache

/// The page of an audit: `audit.html` beside `audit.json`, which opens from disk and needs nothing else.
public enum AuditReport {
  /// - Returns: the path of the page.
  /// - Throws: an error that names the file: the folder holds no audit, or the page cannot be written.
  @discardableResult
  public static func write(folder: String) throws -> String {
    let path = "\(folder)/audit.html"
    try AtomicFile.write(try render(try AuditResult(folder: folder), folder: folder), to: path, followingLink: false)
    return path
  }

  static func render(_ result: AuditResult, folder: String) throws -> String {
    MustacheContentTypes.register(HTMLText(), named: HTMLText.name)
    let start = "{{% CONTENT_TYPE:\(HTMLText.name)}}"
    let library = MustacheLibrary(templates: [
      "picture": try MustacheTemplate(string: start + ReportMarkup.picture)
    ])
    return try MustacheTemplate(string: start + AuditMarkup.page).render(
      AuditPage(result, folder: folder), library: library)
  }
}

/// What the page's template names.
struct AuditPage {
  struct Fact {
    var name: String
    var text: String
  }
  struct Card {
    var cardTitle: String
    var images: [SampleImage]
  }

  let pageTitle: String
  let subtitle: String
  let style = ReportStyle.text
  let tone: String
  let toneSymbol: String
  let toneWord: String
  let sentence: String
  let facts: [Fact]
  let triggers: [SampleImage]
  let cards: [Card]
  /// nil without a bank.
  let bars: String?
  let footer: String

  init(_ result: AuditResult, folder: String) {
    pageTitle = "Audit of \(Path.name(result.model))"
    subtitle = "\(result.architecture), \(result.dataset), SHA-256 \(result.modelDigest.prefix(12))"
    let words: (tone: String, symbol: String, word: String) =
      switch result.verdict {
      case .backdoored: ("bad", "✗", "Backdoored")
      case .suspicious: ("warning", "!", "Suspicious")
      case .noEvidence: ("", "○", result.isJudged ? "No evidence" : "Not judged")
      }
    (tone, toneSymbol, toneWord) = words
    sentence = result.sentence
    facts = AuditText.facts(result).map { Fact(name: $0.name, text: $0.text) }
    let name = result.classNames[result.label]
    var triggers = [
      SampleImage(
        AuditResult.patchPicture, in: folder, caption: "patch of \(result.patchPixels) pixels",
        alternative: "The patch that was found for class \(name), on grey")
    ]
    if result.perturbationSuccess != nil {
      triggers.append(
        SampleImage(
          AuditResult.perturbationPicture, in: folder, caption: "faint pattern, amplified",
          alternative: "The universal perturbation that was found for class \(name), grey where nothing changes"))
    }
    self.triggers = triggers
    cards = result.pictures.map { picture in
      let names = result.classNames
      var images = [
        SampleImage(
          picture.file, in: folder, caption: "as it is: \(names[picture.answer])", alternative: "Held-out image"),
        SampleImage(
          picture.patched, in: folder, caption: "with the patch: \(names[picture.patchedAnswer])",
          alternative: "The same image with the patch"),
      ]
      if let perturbed = picture.perturbed, let answer = picture.perturbedAnswer {
        images.append(
          SampleImage(
            perturbed, in: folder, caption: "with the pattern: \(names[answer])",
            alternative: "The same image with the faint pattern"))
      }
      return Card(cardTitle: names[picture.answer], images: images)
    }
    bars = result.bank.map { ClassBars.draw(result, $0) }
    footer =
      "Seed \(result.seed), \(formatDuration(result.seconds)). An audit never says that a model is clean. Antidote."
  }
}

/// The page's HTML.
enum AuditMarkup {
  static let page = """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
    base-uri 'none'; form-action 'none'">
    <title>{{pageTitle}} – Antidote</title>
    <style>{{{style}}}</style>
    </head>
    <body>
    <header>
    <p class="eyebrow"><span class="brand">Antidote</span> audit</p>
    <h1>{{pageTitle}}</h1>
    <p class="subtitle">{{subtitle}}</p>
    </header>
    <main>
    <section class="verdict {{tone}}">
    <p class="tone"><span aria-hidden="true">{{toneSymbol}}</span> {{toneWord}}</p>
    <p class="sentence">{{sentence}}</p>
    </section>
    <section id="facts">
    <h2>What the verdict rests on</h2>
    <dl class="environment">{{#facts}}<div><dt>{{name}}</dt><dd>{{text}}</dd></div>{{/facts}}</dl>
    </section>
    {{#bars}}
    <section id="classes">
    <h2>Each class beside the same class of clean models</h2>
    <p class="lead">The sum of a class's standardised statistics. The band holds the middle 90% of the largest sums of clean models, the
    line is the largest of them. The model's score takes the largest class of each statistic, which may be different ones.</p>
    <div class="charts"><figure><div class="plot">{{{.}}}</div></figure></div>
    </section>
    {{/bars}}
    <section id="trigger">
    <h2>The trigger that was found</h2>
    <p class="lead">For the class that stands out most, found on one half of the images. What a model of a hard task can be fooled with looks
    much the same: the comparison with clean models decides, not the picture.</p>
    <div class="pictures">
    {{#triggers}}
    {{>picture}}
    {{/triggers}}
    </div>
    </section>
    <section id="images">
    <h2>Images with and without it</h2>
    <p class="lead">From the other half of the images, and what the model takes them for.</p>
    <div class="cards">
    {{#cards}}
    <article class="card">
    <h3>{{cardTitle}}</h3>
    <div class="pictures">
    {{#images}}
    {{>picture}}
    {{/images}}
    </div>
    </article>
    {{/cards}}
    </div>
    </section>
    </main>
    <footer>{{footer}}</footer>
    </body>
    </html>

    """
}
