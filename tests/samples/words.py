"""Every word of the samples: invented people and companies, and Portuguese prose of our own.

PLANTED is the personal data that the leak tests search for. The numbers look right but carry wrong
check digits, so they belong to nobody. In all texts "~" is a space at which no line may break, so
that a planted string is found in one piece in the text of a document.
"""

CLIENT = "Zulmira Quirapinga de Araçoiaba"
CLIENT_CPF = "111.222.333-44"
CLIENT_RG = "98.765.432-1"
CLIENT_EMAIL = "zulmira@quirapinga.example"
CLIENT_PHONE = "(00) 91234-5678"
CLIENT_ADDRESS = "Rua das Jabuticabeiras Voadoras, 1234"
WITNESS_A = "Belarmino Jaçanã Tupinambá"
WITNESS_A_CPF = "444.555.666-77"
WITNESS_B = "Gertrudes Conceição Paralelepípedo"
WITNESS_B_CPF = "777.888.999-00"
BUYER = "Epaminondas Urutau Simões"
BUYER_CPF = "123.123.123-12"
COMPANY = "Oficina de Relógios Pé de Vento Ltda."
COMPANY_CNPJ = "11.222.333/0001-99"

PLANTED = [
    CLIENT, CLIENT_CPF, CLIENT_RG, CLIENT_EMAIL, CLIENT_PHONE, CLIENT_ADDRESS,
    WITNESS_A, WITNESS_A_CPF, WITNESS_B, WITNESS_B_CPF, BUYER, BUYER_CPF,
    COMPANY, COMPANY_CNPJ,
]


def tied(text):
    """The text with its spaces made unbreakable."""
    return text.replace(" ", "~")


PARTIES = [
    f"CONTRATANTE: {tied(CLIENT)}, brasileira, viúva, relojoeira aposentada, portadora da cédula de "
    f"identidade nº~{CLIENT_RG} e inscrita no CPF sob o nº~{CLIENT_CPF}, residente e domiciliada na "
    f"{tied(CLIENT_ADDRESS)}, bairro Beira-Céu, município de Araçoiaba do Avesso, correio "
    f"eletrônico {CLIENT_EMAIL}, telefone {tied(CLIENT_PHONE)}.",
    f"CONTRATADA: {tied(COMPANY)}, pessoa jurídica de direito privado, inscrita no CNPJ sob o "
    f"nº~{COMPANY_CNPJ}, com sede na Travessa do Pêndulo, 88, sala 3, na mesma cidade, neste ato "
    "representada na forma de seu contrato social.",
    "As partes acima qualificadas têm entre si justo e combinado o presente contrato de prestação "
    "de serviços, que se regerá pelas cláusulas seguintes e pelas condições nelas descritas.",
]

CLAUSES = [
    ("Cláusula Primeira - Do Objeto", [
        "O presente contrato tem por objeto a manutenção, a limpeza e a calibração dos relógios de "
        "torre, de parede e de bolso pertencentes à CONTRATANTE, incluída a substituição das peças "
        "gastas, a lubrificação dos mecanismos e a verificação trimestral da precisão.",
        "Parágrafo único. Não se incluem no objeto a construção de novos mecanismos, a pintura dos "
        "mostradores nem o transporte de peças com mais de quarenta quilos, que dependerão de "
        "orçamento à parte, aprovado por escrito.",
    ]),
    ("Cláusula Segunda - Do Prazo", [
        "O prazo de vigência é de doze meses, contados da assinatura, e prorroga-se por iguais "
        "períodos se nenhuma das partes se manifestar em contrário com antecedência de trinta dias.",
        "A suspensão dos serviços por motivo de força maior, como enchente, granizo ou ausência "
        "prolongada da CONTRATANTE, prorroga o prazo pelo mesmo número de dias, sem ônus.",
    ]),
    ("Cláusula Terceira - Do Preço e do Pagamento", [
        "Pelos serviços a CONTRATANTE pagará à CONTRATADA os valores da tabela abaixo, em parcelas "
        "mensais e sucessivas, com vencimento no dia dez de cada mês, por boleto ou transferência.",
        "O atraso no pagamento sujeita a CONTRATANTE a multa de 2% sobre o valor da parcela e a "
        "juros de 1% ao mês, calculados dia a dia até a data da efetiva quitação.",
    ]),
    ("Cláusula Quarta - Das Obrigações da Contratada", [
        "São obrigações da CONTRATADA: executar os serviços com zelo e técnica adequada; empregar "
        "peças novas ou, havendo concordância, recuperadas; manter registro de cada visita, com "
        "data, hora, serviço feito e nome do técnico; guardar sigilo sobre os bens e os hábitos da "
        "casa; e devolver as peças substituídas, salvo as que ofereçam perigo.",
        "A CONTRATADA responde pelos danos que seus empregados causarem aos bens da CONTRATANTE "
        "durante a execução, até o limite do valor anual deste contrato.",
    ]),
    ("Cláusula Quinta - Das Obrigações da Contratante", [
        "São obrigações da CONTRATANTE: franquear o acesso aos relógios nos dias úteis, das oito às "
        "dezoito horas; comunicar por escrito qualquer defeito; não permitir que terceiros "
        "intervenham nos mecanismos; e efetuar os pagamentos nas datas combinadas.",
    ]),
    ("Cláusula Sexta - Da Proteção de Dados Pessoais", [
        "As partes tratarão os dados pessoais a que tiverem acesso somente para a execução deste "
        "contrato, na forma da Lei nº 13.709, de 14 de agosto de 2018, e os eliminarão ao fim do "
        "tratamento, ressalvadas as hipóteses legais de conservação.",
        "Em caso de incidente de segurança que possa acarretar risco ou dano relevante, a parte que "
        "dele tiver ciência avisará a outra em até vinte e quatro horas, descrevendo a natureza dos "
        "dados afetados, as medidas adotadas e os motivos de eventual demora.",
    ]),
    ("Cláusula Sétima - Da Rescisão", [
        "Este contrato poderá ser rescindido por qualquer das partes mediante aviso prévio de "
        "trinta dias, ou de imediato, por descumprimento de obrigação não sanado em dez dias após "
        "a notificação. Na rescisão sem justa causa será devida multa de uma parcela mensal.",
    ]),
    ("Cláusula Oitava - Da Garantia", [
        "Os serviços têm garantia de noventa dias e as peças novas, de um ano. A garantia cessa se "
        "o lacre do mecanismo for rompido por pessoa não autorizada ou se o relógio sofrer queda, "
        "inundação ou exposição a campo magnético intenso.",
    ]),
    ("Cláusula Nona - Da Confidencialidade", [
        "Nenhuma das partes divulgará, sem autorização escrita, informações técnicas, comerciais ou "
        "pessoais obtidas em razão deste contrato, obrigação que perdura por cinco anos após o seu "
        "término, qualquer que seja a causa da extinção.",
    ]),
    ("Cláusula Décima - Do Foro", [
        "Fica eleito o foro da comarca de Araçoiaba do Avesso para dirimir as questões oriundas "
        "deste contrato, com renúncia a qualquer outro, por mais privilegiado que seja.",
        "E, por estarem assim ajustadas, as partes assinam o presente em duas vias de igual teor, "
        "na presença de duas testemunhas, em 2 de janeiro de 2024.",
    ]),
]

PRICES = [
    ("Item", "Descrição do serviço", "Qtd.", "Valor (R$)"),
    ("01", "Calibração do relógio da torre", "4", "1.280,00"),
    ("02", "Limpeza de mecanismos de parede", "12", "2.340,50"),
    ("03", "Substituição de molas e pinhões", "6", "987,35"),
    ("04", "Lubrificação e revisão de âncoras", "8", "1.104,20"),
    ("05", "Deslocação até a sede", "24", "720,00"),
    ("06", "Emissão de laudo técnico", "2", "460,90"),
    ("07", "Total anual", "", "6.892,95"),
]

SIGNATURES = [
    (CLIENT, f"CPF {CLIENT_CPF}", "Contratante"),
    (COMPANY, f"CNPJ {COMPANY_CNPJ}", "Contratada"),
    (WITNESS_A, f"CPF {WITNESS_A_CPF}", "Testemunha"),
    (WITNESS_B, f"CPF {WITNESS_B_CPF}", "Testemunha"),
]

# Whole sentences, for pages whose content only has to be long and different from page to page.
SENTENCES = [
    "A visita começou pela manhã, com céu encoberto e vento fraco vindo do sul.",
    "O técnico verificou o escapamento e não encontrou folga além da tolerância.",
    "Foram trocadas duas molas de suspensão, ambas com sinais evidentes de fadiga.",
    "A corrente do contrapeso maior apresentava ferrugem e recebeu nova camada de óleo.",
    "Às onze horas a cliente pediu que o sino fosse ajustado para soar mais baixo.",
    "O pêndulo, de madeira e latão, foi desmontado, limpo e novamente nivelado.",
    "Constatou-se atraso de três segundos por semana, corrigido na porca de regulagem.",
    "Nenhum dano anterior foi observado no mostrador nem nos ponteiros de cobre.",
    "A próxima inspeção ficou marcada para a segunda quinzena do mês seguinte.",
    "As peças substituídas foram entregues à proprietária em caixa identificada.",
    "O relatório fotográfico será enviado em até cinco dias úteis após a conferência.",
    "Recomenda-se instalar proteção contra pombos na abertura superior da torre.",
    "A fundação do móvel cedeu alguns milímetros, o que explica a batida irregular.",
    "Não houve necessidade de interromper o funcionamento durante a medição.",
    "O óleo utilizado é sintético, próprio para temperaturas entre dez e quarenta graus.",
    "Uma engrenagem intermediária, de trinta e seis dentes, precisará ser refeita.",
    "O orçamento para essa peça será apresentado à parte, sem compromisso de aceitação.",
    "A chave de corda original foi localizada na gaveta e devolvida ao seu lugar.",
    "Durante o ensaio de doze horas, a variação máxima foi de meio segundo.",
    "O vidro da caixa está trincado no canto inferior, sem risco imediato de queda.",
    "Por precaução, o acesso à escada foi sinalizado com fita e aviso impresso.",
    "A vizinhança informou que o carrilhão voltou a ser ouvido até a praça da estação.",
    "Ficou combinado que as chaves permanecerão na portaria, em envelope lacrado.",
    "A umidade medida no interior da caixa foi de sessenta e dois por cento.",
    "Sugere-se trocar a lâmpada do mostrador por outra de menor aquecimento.",
    "O ajuste fino do calendário será feito na virada do ano, como de costume.",
    "A coluna de mármore já não oscila, graças ao calço colocado em março.",
    "Todas as ferramentas foram conferidas na saída, conforme a lista em anexo.",
    "O serviço terminou às dezesseis horas e vinte minutos, sem ocorrências.",
    "Observações adicionais podem ser dirigidas à administração por carta ou telefone.",
]

# Each receipt: the head, what was bought (a line of name, a line of sums), the foot.
RECEIPTS = [
    (["PADARIA LUA CHEIA", "Rua do Fermento, 10", "CUPOM NÃO FISCAL", "02/01/2024 07:41"],
     ["001 Pão francês", "0,420 kg x 19,00 = 7,98", "002 Café com leite", "1 un x 6,50 = 6,50",
      "003 Queijo minas", "0,310 kg x 59,00 = 18,29", "004 Pão de queijo", "4 un x 3,50 = 14,00",
      "005 Maçã", "0,800 kg x 11,90 = 9,52", "TOTAL R$ 56,29"],
     ["Pagamento: PIX", f"Cliente: {BUYER}", f"CPF: {BUYER_CPF}", "Obrigado e volte sempre!"]),
    (["FARMÁCIA BOA SAÚDE", "Av. dos Ipês, 2050", "CUPOM NÃO FISCAL", "03/01/2024 18:05"],
     ["001 Água oxigenada 100 ml", "1 un x 5,49 = 5,49", "002 Algodão 50 g", "1 un x 6,75 = 6,75",
      "003 Vitamina C 30 comprimidos", "1 un x 21,90 = 21,90", "004 Protetor labial",
      "2 un x 7,65 = 15,30", "005 Sabão de coco", "3 un x 1,40 = 4,20", "TOTAL R$ 53,64"],
     ["Pagamento: cartão de débito", f"CPF: {CLIENT_CPF}", "Troca em até sete dias",
      "Guarde este cupom"]),
    (["POSTO DA ESTAÇÃO", "Rodovia Sem Fim, km 12", "RECIBO DE ABASTECIMENTO", "04/01/2024 12:30"],
     ["001 Etanol", "32,500 litros x 3,89 = 126,43", "002 Óleo lubrificante",
      "1 litro x 39,90 = 39,90", "003 Limpeza do para-brisa", "1 un x 5,00 = 5,00",
      "TOTAL R$ 171,33"],
     ["Pagamento: dinheiro", "Troco: R$ 8,67", f"CPF: {WITNESS_A_CPF}", "Boa viagem!"]),
]
