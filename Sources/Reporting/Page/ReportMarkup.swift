/// The page's HTML, as Mustache templates. Whatever comes from a record stands in double braces and is escaped.
///
/// The content security policy lets nothing in from outside: a page that was written from somebody else's run cannot
/// call home.
enum ReportMarkup {
  static let page = """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; \
    script-src 'self' file: 'unsafe-inline'; base-uri 'none'; form-action 'none'">
    <title>{{pageTitle}} – Antidote</title>
    <style>{{{style}}}</style>
    </head>
    <body>
    <header>
    <p class="eyebrow"><span class="brand">Antidote</span> run <code title="{{runID}}">{{shortID}}</code> · {{status}}</p>
    <h1>{{pageTitle}}</h1>
    <p class="subtitle">{{subtitle}}</p>
    </header>
    <main>
    {{#flags}}
    <section class="flags" id="flags">
    <h2>Before you use these numbers</h2>
    {{#notes}}
    <details id="flag-{{flagID}}">
    <summary><span class="flag" aria-hidden="true">⚑</span> <strong>{{flagTitle}}.</strong> {{flagMessage}}</summary>
    <p>{{flagExplanation}} <code>{{flagID}}</code></p>
    </details>
    {{/notes}}
    </section>
    {{/flags}}
    <section class="verdict {{tone}}">
    <p class="tone"><span aria-hidden="true">{{toneSymbol}}</span> {{toneWord}}</p>
    <p class="sentence">{{sentence}}</p>
    </section>
    {{#scoreSection}}{{>scores}}{{/scoreSection}}
    {{#curves}}{{>curves}}{{/curves}}
    {{#findingsSection}}{{>findings}}{{/findingsSection}}
    {{#samples}}
    <section id="samples">
    <h2>Clean and triggered images</h2>
    <p class="lead">The same test images without and with the trigger, and what each model takes them for.</p>
    {{>images}}
    </section>
    {{/samples}}
    {{#poisonedImages}}
    <section id="poisoned">
    <h2>Training images that the attacker changed</h2>
    <p class="lead">What the model learned the backdoor from: each image as it was and as it is in the training set, with its label there.</p>
    {{>images}}
    </section>
    {{/poisonedImages}}
    {{#perturbations}}
    <section id="perturbations">
    <h2>Perturbations that the defense found</h2>
    <p class="lead">Small changes of clean images that fool a model. Where a backdoor is, the perturbed images are taken for its target;
    the defense teaches the model to see what they show.</p>
    {{>images}}
    </section>
    {{/perturbations}}
    <section id="making">
    <h2>How it was made</h2>
    <div class="facts">
    <dl>{{#poisonFacts}}<div><dt>{{name}}</dt><dd>{{text}}</dd></div>{{/poisonFacts}}\
    {{#defenseFacts}}<div><dt>{{name}}</dt><dd>{{text}}</dd></div>{{/defenseFacts}}</dl>
    <dl>{{#datasetFacts}}<div><dt>{{name}}</dt><dd>{{text}}</dd></div>{{/datasetFacts}}</dl>
    </div>
    </section>
    {{#times}}
    <section id="times">
    <h2>Time per stage</h2>
    <div class="wide"><table class="plain">
    <thead><tr><th scope="col">Stage</th><th scope="col">Time</th><th scope="col">Epochs</th><th scope="col">Images/s</th>\
    <th scope="col">Peak memory</th></tr></thead>
    <tbody>
    {{#rows}}
    <tr><th scope="row">{{stageName}}</th><td>{{time}}</td><td>{{epochs}}</td><td>{{speed}}</td><td>{{memory}}</td></tr>
    {{/rows}}
    </tbody>
    <tfoot><tr><th scope="row">Total</th><td>{{total}}</td><td></td><td></td><td></td></tr></tfoot>
    </table></div>
    </section>
    {{/times}}
    {{#settings}}{{>setting}}{{/settings}}
    <section id="environment">
    <h2>Environment</h2>
    <dl class="environment">{{#environment}}<div><dt>{{name}}</dt><dd>{{text}}</dd></div>{{/environment}}</dl>
    </section>
    {{#reproduction}}
    <section id="reproduce">
    <h2>Reproduce</h2>
    <pre><code>{{commandLine}}</code></pre>
    <p class="lead">Run <code>{{runID}}</code>. The same settings and seed give the same run id.</p>
    </section>
    {{/reproduction}}
    </main>
    <footer>{{footer}}</footer>
    <script>{{{script}}}</script>
    </body>
    </html>

    """

  static let scores = """
    <section id="scores">
    <h2>Scores</h2>
    <table class="scores">
    <thead><tr><td></td>{{#columns}}<th scope="col">{{.}}</th>{{/columns}}{{#changes}}<th scope="col">Change</th>{{/changes}}</tr></thead>
    <tbody>
    {{#scores}}
    <tr><th scope="row"><abbr>{{abbreviation}}</abbr> <span class="name">{{name}}</span><small>{{explanation}}</small></th>\
    {{#cells}}<td data-column="{{column}}"><b>{{value}}</b>{{#details}}<small>{{.}}</small>{{/details}}</td>{{/cells}}\
    {{#changeCell}}<td data-column="Change" class="{{trend}}"><b>{{difference}}</b><small>{{unit}}</small></td>{{/changeCell}}</tr>
    {{/scores}}
    {{#rating}}
    <tr class="rating"><th scope="row"><abbr>DER</abbr> <span class="name">Defense effectiveness rating</span>\
    <small>{{ratingExplanation}}</small></th><td colspan="{{span}}"><b>{{ratingValue}}</b></td></tr>
    {{/rating}}
    </tbody>
    {{#riskRows}}
    <tbody class="risks">
    <tr class="group"><th colspan="{{width}}" scope="rowgroup">Risks{{#search}} <small>perturbations: {{.}}</small>{{/search}}</th></tr>
    {{#risks}}
    <tr><th scope="row"><span class="name">{{abbreviation}}</span><small>{{explanation}}</small></th>\
    {{#cells}}<td data-column="{{column}}"><b>{{value}}</b>{{#details}}<small>{{.}}</small>{{/details}}</td>{{/cells}}\
    {{#changeCell}}<td data-column="Change" class="{{trend}}"><b>{{difference}}</b><small>{{unit}}</small></td>{{/changeCell}}</tr>
    {{/risks}}
    </tbody>
    {{/riskRows}}
    </table>
    {{#lastEpochs}}<p class="note">{{.}}</p>{{/lastEpochs}}
    <p class="note">Below each share: how many images it counts, and its 95% interval in percent (Wilson), which covers the choice of test
    images but not the choice of seeds.</p>
    </section>
    """

  static let curves = """
    <section id="curves">
    <h2>Epoch by epoch</h2>
    {{#stages}}{{>stage}}{{/stages}}
    {{#helpers}}
    <details><summary><strong>Helper stages</strong> <small>{{foldedCount}} stages</small></summary>
    {{#folded}}{{>stage}}{{/folded}}
    </details>
    {{/helpers}}
    {{#staticNote}}<p class="note">{{.}}</p>{{/staticNote}}
    {{#interactive}}
    <p class="note" id="plotly-missing" hidden>The curves are static drawings: plotly.min.js is not beside this page, or was blocked.</p>
    <script type="application/json" id="chart-data">{{{json}}}</script>
    <script src="plotly.min.js"></script>
    {{/interactive}}
    </section>
    """

  static let stage = """
    <h3>{{stageTitle}}</h3>
    <div class="charts">
    {{#charts}}
    <figure>
    <figcaption>{{chartTitle}}</figcaption>
    <ul class="legend">{{#legend}}<li>\
    <svg viewBox="0 0 26 10" aria-hidden="true"><line class="line s{{style}}" x1="1" y1="5" x2="25" y2="5"/>\
    <circle class="dot s{{style}}" cx="13" cy="5" r="2.6"/></svg>\
    {{legendName}}{{#side}} <small>({{.}} axis)</small>{{/side}}</li>{{/legend}}</ul>
    <div class="plot" id="{{chartID}}">{{{svg}}}</div>
    </figure>
    {{/charts}}
    </div>
    """

  static let findings = """
    <section id="findings">
    <h2>Training samples, kept and rejected</h2>
    <p class="lead">{{findingsLead}}</p>
    <dl class="narrow">{{#findingFacts}}<div><dt>{{name}}</dt><dd>{{text}}</dd></div>{{/findingFacts}}</dl>
    {{#drawings}}
    <div class="charts drawings">
    {{#histograms}}{{>drawing}}{{/histograms}}
    {{#maps}}{{>drawing}}{{/maps}}
    </div>
    {{/drawings}}
    {{#groups}}
    <h3>{{groupTitle}} <small class="note">{{groupNote}}</small></h3>
    <div class="pictures">
    {{#groupImages}}{{>picture}}{{/groupImages}}
    </div>
    {{/groups}}
    </section>
    """

  static let drawing = """
    <figure>
    <figcaption>{{drawingTitle}} <small>{{drawingNote}}</small></figcaption>
    <ul class="legend">{{#drawingLegend}}<li><span class="swatch {{swatchClass}}"{{#swatchColor}} style="background:{{.}}"{{/swatchColor}}>\
    </span>{{colorName}}</li>{{/drawingLegend}}</ul>
    <div class="plot">{{{drawingSVG}}}</div>
    </figure>
    """

  static let images = """
    <ul class="key"><li><span class="chip right">✓ right</span> the true class</li><li><span class="chip target">◎ target</span> \
    the attacker’s class</li><li><span class="chip wrong">✗ wrong</span> any other class</li></ul>
    <div class="cards">
    {{#cards}}
    <article class="card">
    <h3>{{cardTitle}} <small>{{cardDetail}}</small></h3>
    <div class="pictures">
    {{#images}}
    {{>picture}}
    {{/images}}
    </div>
    {{#answerTable}}
    <table class="answers"><thead><tr><td></td>{{#header}}<th scope="col">{{.}}</th>{{/header}}</tr></thead><tbody>
    {{#answers}}
    <tr><th scope="row">{{model}}</th>{{#chips}}<td><span class="chip {{kind}}" title="{{kind}}: {{className}}, {{confidence}}">\
    <span aria-hidden="true">{{symbol}}</span><span class="hidden">{{kind}}:</span> {{className}}</span><small>{{confidence}}</small></td>\
    {{/chips}}</tr>
    {{/answers}}
    </tbody></table>
    {{/answerTable}}
    </article>
    {{/cards}}
    </div>
    """

  static let picture = """
    <figure style="width:{{width}}px">{{#source}}<img src="{{{.}}}" width="{{width}}" height="{{height}}" alt="{{alternative}}"\
    {{#isPixelated}} class="pixels"{{/isPixelated}}>{{/source}}{{^source}}<span class="lost" role="img" aria-label="{{alternative}}">\
    image not found</span>{{/source}}<figcaption>{{caption}}</figcaption></figure>
    """

  static let setting = """
    <section id="settings">
    <h2>Settings</h2>
    {{#sections}}
    <details>
    <summary><strong>{{sectionName}}</strong> <small>{{sectionCount}}</small></summary>
    <div class="wide"><table class="plain settings"><tbody>
    {{#entries}}<tr><th scope="row"><code>{{key}}</code></th><td>{{text}}</td></tr>
    {{/entries}}
    </tbody></table></div>
    </details>
    {{/sections}}
    </section>
    """
}
